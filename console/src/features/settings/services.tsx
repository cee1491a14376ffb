/** The optional services: those that are configured with their health, the others with how to configure them. */
import { CircleCheck, CircleDashed, CircleX, TriangleAlert } from 'lucide-react'
import { visible } from '@/lib/ansi'
import { relative } from '@/lib/format'
import { AsOf, Unread } from '../as-of'
import { type Service, useServices } from './data'
import { Part } from './part'

const KNOWN = [
  { name: 'forgejo', title: 'Forgejo', variable: 'NEXT_PUBLIC_FORGEJO_URL' },
  { name: 'taiga', title: 'Taiga', variable: 'NEXT_PUBLIC_TAIGA_URL' },
  { name: 'ollama', title: 'Ollama', variable: 'NEXT_PUBLIC_OLLAMA_URL' },
] as const

const LOOKS = { up: [CircleCheck, 'text-good', 'Up'], failing: [TriangleAlert, 'text-attention', 'Failing'], down: [CircleX, 'text-bad', 'Down'] } as const

export function ServicesPart({ now }: { readonly now: number }) {
  const query = useServices()
  return (
    <Part id="services" lead="Optional neighbours of this server, which asks them itself; nothing here depends on them.">
      <AsOf query={query} />
      {query.data ? (
        <ul className="divide-y divide-line-soft">
          {KNOWN.map((known) => {
            const found = query.data.find((each) => each.name === known.name)
            return <li key={known.name} className="py-2">{found ? <Configured service={found} now={now} /> : <Absent {...known} />}</li>
          })}
        </ul>
      ) : <Unread query={query} rows={3} />}
    </Part>
  )
}

function Configured({ service, now }: { readonly service: Service; readonly now: number }) {
  const [Icon, color, word] = LOOKS[service.status]
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <span className="w-24 font-medium">{visible(service.title)}</span>
      <span className={`inline-flex w-20 items-center gap-1 ${color}`}><Icon aria-hidden="true" className="size-4" />{word}</span>
      <a href={service.url} target="_blank" rel="noreferrer noopener" className="min-w-0 truncate rounded-sm font-mono text-xs text-accent underline">{visible(service.url)}</a>
      <span className="text-muted">{visible(service.detail)}{service.latency_ms === null ? '' : ` · ${Math.round(service.latency_ms)} ms`} · {relative(Date.parse(service.checked_at), now)}</span>
    </div>
  )
}

function Absent({ title, variable }: { readonly title: string; readonly variable: string }) {
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <span className="w-24 font-medium">{title}</span>
      <span className="inline-flex items-center gap-1 text-muted"><CircleDashed aria-hidden="true" className="size-4" />Not configured</span>
      <span className="text-xs text-muted">Start the server with <code className="font-mono text-ink">{variable}</code>.</span>
    </div>
  )
}
