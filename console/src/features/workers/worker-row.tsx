/** A worker: whether it lives, what it runs of what it could, and opened what it can do and what it cannot, and why. */
import { Link } from '@tanstack/react-router'
import { ChevronRight, CircleCheck, CircleX, TriangleAlert } from 'lucide-react'
import { useId, useState } from 'react'
import { visible } from '@/lib/ansi'
import { relative } from '@/lib/format'
import { format } from '@/lib/query'
import { CopyButton } from '@/ui/copy'
import { Meter } from '@/ui/meter'
import { backends, type Worker } from './data'

export function WorkerRow({ worker, now, isNewest }: { readonly worker: Worker; readonly now: number; readonly isNewest: boolean }) {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  return (
    <li className="border-b border-line-soft">
      <div className={`flex items-start gap-2 py-2 pr-4 pl-2 ${isOpen ? 'bg-raised' : 'hover:bg-hover'}`}>
        <button type="button" aria-expanded={isOpen} aria-controls={isOpen ? id : undefined} aria-label={`Details of ${visible(worker.name)}`} onClick={() => setOpen(!isOpen)} className="grid size-6 shrink-0 place-items-center rounded text-muted hover:text-ink">
          <ChevronRight aria-hidden="true" className={`size-4 transition-transform ${isOpen ? 'rotate-90' : ''}`} />
        </button>
        <div className="grid min-w-0 flex-1 items-center gap-x-6 gap-y-1 sm:grid-cols-[minmax(0,2fr)_minmax(0,1.5fr)_minmax(0,2fr)_7rem]">
          <span className="min-w-0">
            <span className="block truncate leading-6 font-medium">{visible(worker.name)}</span>
            <Presence worker={worker} now={now} />
          </span>
          <Load worker={worker} />
          <Programs worker={worker} />
          <span className={`truncate sm:text-right ${isNewest ? 'text-muted' : 'text-attention'}`} title={isNewest ? undefined : 'Another worker has a newer version.'}>
            {visible(worker.version)}{isNewest ? '' : ' (older)'}
          </span>
        </div>
      </div>
      {isOpen ? <div id={id} className="bg-raised pr-4 pb-4 pl-10"><Details worker={worker} now={now} /></div> : null}
    </li>
  )
}

function Presence({ worker, now }: { readonly worker: Worker; readonly now: number }) {
  const Icon = worker.online ? CircleCheck : CircleX
  const heard = worker.heard_at === null ? 'never heard of' : `heard ${relative(Date.parse(worker.heard_at), now)}`
  return (
    <span className="flex min-w-0 items-center gap-1 text-xs">
      <Icon aria-hidden="true" className={`size-3.5 shrink-0 ${worker.online ? 'text-good' : 'text-bad'}`} />
      <span className={worker.online ? 'text-good' : 'text-bad'}>{worker.online ? 'Online' : 'Offline'}</span>
      <span className="truncate text-muted" title={worker.heard_at ?? undefined}>· {heard}{worker.host === worker.name ? '' : ` · ${visible(worker.host)}`}</span>
    </span>
  )
}

function Load({ worker }: { readonly worker: Worker }) {
  if (!worker.online) return <span className="text-muted">{worker.running === 0 ? 'nothing' : worker.running === 1 ? '1 run' : `${worker.running} runs`} when last heard of</span>
  return (
    <span className="flex max-w-64 min-w-0 items-center gap-2">
      <Meter label={`Places taken on ${visible(worker.name)}`} value={worker.running} most={worker.slots} />
      <Link to="/runs" search={{ q: format([{ field: 'worker', values: [worker.id], isNegated: false }, { field: 'is', values: ['active'], isNegated: false }]) }} className="shrink-0 rounded-sm whitespace-nowrap hover:underline">
        {worker.running} of {worker.slots}<span className="sr-only"> running on {visible(worker.name)}</span>
      </Link>
    </span>
  )
}

function Programs({ worker }: { readonly worker: Worker }) {
  const found = backends(worker)
  const usable = found.filter((each) => each.isUsable).map((each) => each.name)
  const lacking = found.filter((each) => !each.isUsable).map((each) => each.name)
  return (
    <span className="min-w-0 text-xs">
      <span className="block truncate">{visible(usable.join(', ')) || 'no backend'}</span>
      {lacking.length ? <span className="flex items-center gap-1 text-attention"><TriangleAlert aria-hidden="true" className="size-3.5 shrink-0" /><span className="truncate">not installed: {visible(lacking.join(', '))}</span></span> : null}
    </span>
  )
}

const LIMITS: Readonly<Record<string, string>> = { wall_s: 'time in all', idle_s: 'time silent', start_s: 'time to first output', output_mb: 'output', memory_mb: 'memory', cpu: 'CPUs', pids: 'processes' }

const limitName = (name: string) => LIMITS[name] ?? visible(name)

function Details({ worker, now }: { readonly worker: Worker; readonly now: number }) {
  const enforced = Object.keys(worker.limits).filter((name) => worker.limits[name] === null)
  const lacking = Object.entries(worker.limits).flatMap(([name, why]) => (why === null ? [] : [[name, why] as const]))
  return (
    <div className="grid gap-x-8 gap-y-4 lg:grid-cols-2">
      <section>
        <h2 className="mb-1 font-medium">Backends</h2>
        <ul className="space-y-1.5">
          {backends(worker).map((each) => (
            <li key={each.name}>
              <Fact isGood={each.isUsable} title={visible(each.name)}>{each.isUsable ? visible(each.detail) : 'not installed'}</Fact>
              {each.advice ? <p className="pl-5 text-xs break-words text-muted">{visible(each.advice)}</p> : null}
            </li>
          ))}
        </ul>
      </section>
      <section>
        <h2 className="mb-1 font-medium">Limits and process trees</h2>
        <ul className="space-y-1.5">
          {enforced.length ? <li><Fact isGood title="Enforced:">{enforced.map(limitName).join(', ')}</Fact></li> : null}
          {lacking.map(([name, why]) => <li key={name}><Fact isGood={false} title={`${limitName(name)}:`}>not enforced, {visible(why)}</Fact></li>)}
          <li><Fact isGood={worker.tree !== 'walk'} title="Process trees:">{visible(worker.tree)}{worker.tree === 'walk' ? ', by walking /proc; a cgroup would reach every process in one write' : ''}</Fact></li>
        </ul>
        <dl className="mt-3 grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-3 text-xs text-muted">
          <dt>Id</dt><dd className="flex min-w-0 items-center"><span className="truncate font-mono">{worker.id}</span><CopyButton text={worker.id} label="Copy the worker’s id" /></dd>
          <dt>Registered</dt><dd title={worker.registered_at}>{relative(Date.parse(worker.registered_at), now)}</dd>
        </dl>
      </section>
    </div>
  )
}

function Fact({ isGood, title, children }: { readonly isGood: boolean; readonly title: string; readonly children: React.ReactNode }) {
  const Icon = isGood ? CircleCheck : TriangleAlert
  return (
    <p className="flex items-start gap-1.5">
      <Icon aria-hidden="true" className={`mt-0.5 size-4 shrink-0 ${isGood ? 'text-good' : 'text-attention'}`} />
      <span className="min-w-0 break-words"><span className="font-medium">{title}</span> <span className="text-muted">{children}</span></span>
    </p>
  )
}
