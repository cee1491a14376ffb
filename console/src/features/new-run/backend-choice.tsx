/** The backends as cards, each with whether a worker could take its runs now. */
import { CircleCheck, TriangleAlert } from 'lucide-react'
import { useId } from 'react'
import { visible } from '@/lib/ansi'
import type { Worker } from '../workers/data'
import { backendForm } from './backends'
import { backendNames, offer } from './data'

interface BackendChoiceProps {
  readonly chosen: string
  /** Null while they are not known. */
  readonly workers: readonly Worker[] | null
  readonly mistake: string | undefined
  readonly onChoose: (name: string) => void
}

export function BackendChoice({ chosen, workers, mistake, onChoose }: BackendChoiceProps) {
  const id = useId()
  const names = [...new Set([...backendNames(workers ?? []), chosen])]
  const isAnyOnline = workers?.some((worker) => worker.online) ?? true
  const advice = workers && isAnyOnline ? offer(chosen, workers).advice : null
  return (
    <fieldset aria-describedby={mistake ? `${id}-mistake` : undefined}>
      <legend className="mb-1 font-medium">Backend</legend>
      <div className="grid gap-2 sm:grid-cols-2">
        {names.map((name) => (
          <label key={name} className={`flex cursor-pointer gap-2 rounded-md border px-3 py-2 has-focus-visible:outline-2 has-focus-visible:outline-accent ${name === chosen ? 'border-accent bg-selected' : 'border-line hover:bg-hover'}`}>
            <input type="radio" name={id} value={name} checked={name === chosen} onChange={() => onChoose(name)} className="mt-0.5 size-4 accent-accent outline-none" />
            <span className="min-w-0 flex-1">
              <span className="flex items-baseline justify-between gap-2">
                <span className="truncate font-mono font-semibold">{visible(name)}</span>
                {workers && isAnyOnline ? <Offered name={name} workers={workers} /> : null}
              </span>
              <span className="block text-xs text-muted">{backendForm(name).what}</span>
            </span>
          </label>
        ))}
      </div>
      {mistake ? <p id={`${id}-mistake`} className="mt-1 text-xs text-bad">{mistake}</p> : null}
      {isAnyOnline ? null : <p role="status" className="mt-2 flex items-center gap-1.5 text-attention"><TriangleAlert aria-hidden="true" className="size-4 shrink-0" />No worker is online: the run waits in the queue until one is.</p>}
      {advice ? <p role="status" className="mt-2 text-xs text-attention">{visible(advice)} The run waits until a worker can take it.</p> : null}
    </fieldset>
  )
}

function Offered({ name, workers }: { readonly name: string; readonly workers: readonly Worker[] }) {
  const { text, isGood, version } = offer(name, workers)
  const Icon = isGood ? CircleCheck : TriangleAlert
  return (
    <span className={`inline-flex shrink-0 items-center gap-1 text-xs ${isGood ? 'text-good' : 'text-attention'}`}>
      <Icon aria-hidden="true" className="size-3.5" />
      {text}{version ? <span className="text-muted"> · {visible(version)}</span> : null}
    </span>
  )
}
