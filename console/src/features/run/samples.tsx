/** CPU and memory of the run over time, as two small lines with their figures in words. */
import { useQuery } from '@tanstack/react-query'
import { useAccess } from '@/features/access'
import { every } from '@/features/polled'
import { bytes, duration } from '@/lib/format'
import type { components } from '@/lib/schema'
import { isTerminal, type Run } from '@/lib/words'

const READ_MS = 10_000
type Sample = components['schemas']['SampleView']

export function Samples({ run }: { readonly run: Run }) {
  const { client } = useAccess()
  const isOver = isTerminal(run.status)
  const samples = useQuery({
    queryKey: ['samples', run.id, isOver],
    enabled: run.backend !== 'external' && run.started_at !== null,
    queryFn: async ({ signal }) => (await client.GET('/v1/runs/{run_id}/samples', { params: { path: { run_id: run.id } }, signal })).data ?? null,
    ...(isOver ? { staleTime: Infinity } : every(READ_MS)),
  })
  const page = samples.data
  if (!page || (page.items.length === 0 && page.cpu_us === 0)) return null
  const memory = page.items.map((each) => each.memory_bytes)
  const last = page.items.at(-1)
  const cpu = shares(page.items)
  return (
    <>
      <Spark name="CPU" values={cpu} value={isOver ? duration(page.cpu_us / 1000) : `${Math.round((cpu.at(-1) ?? 0) * 100)} %`} told={`${duration(page.cpu_us / 1000)} of CPU time in all`} />
      <Spark name="Memory" values={memory} value={bytes(isOver || !last ? page.memory_peak_bytes : last.memory_bytes)} told={`at most ${bytes(page.memory_peak_bytes)}, ${page.processes_peak} ${page.processes_peak === 1 ? 'process' : 'processes'}`} />
    </>
  )
}

/** The share of one CPU between two samples; an attempt begins again at zero. */
function shares(items: readonly Sample[]): number[] {
  return items.slice(1).map((each, at) => {
    const before = items[at]
    if (!before || before.attempt !== each.attempt) return 0
    const ms = Date.parse(each.at) - Date.parse(before.at)
    return ms > 0 ? Math.max(0, (each.cpu_us - before.cpu_us) / 1000 / ms) : 0
  })
}

const WIDE = 56
const HIGH = 16

function Spark({ name, values, value, told }: { readonly name: string; readonly values: readonly number[]; readonly value: string; readonly told: string }) {
  const most = values.reduce((a, b) => Math.max(a, b), 0) || 1
  const step = WIDE / Math.max(1, values.length - 1)
  const points = values.map((each, at) => `${(at * step).toFixed(1)},${(HIGH - 1 - (each / most) * (HIGH - 2)).toFixed(1)}`).join(' ')
  return (
    <div className="flex items-center gap-1.5" title={`${name}: ${told}`}>
      <dt className="text-muted">{name}</dt>
      <dd className="relative flex items-center gap-1.5 font-medium">
        {value}
        {values.length > 1 ? <svg aria-hidden="true" width={WIDE} height={HIGH} className="text-active"><polyline points={points} fill="none" stroke="currentColor" strokeWidth="1.25" strokeLinejoin="round" /></svg> : null}
        <span className="sr-only">{told}</span>
      </dd>
    </div>
  )
}
