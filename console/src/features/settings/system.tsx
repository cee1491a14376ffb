/** Health of the server, its database, its disk and its queue, and what was found on its host. */
import { Link } from '@tanstack/react-router'
import { CircleCheck, CircleX, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import { visible } from '@/lib/ansi'
import { bytes, clock, count, duration } from '@/lib/format'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { Meter } from '@/ui/meter'
import { AsOf, Unread } from '../as-of'
import { type Finding, type System, useSystem } from './data'
import { Facts, Part } from './part'

export function SystemPart({ now }: { readonly now: number }) {
  const query = useSystem()
  const system = query.data
  const actions = system ? <span className="flex items-center text-xs text-muted">Checked {clock(Date.parse(system.checked_at), now)}<CopyButton text={JSON.stringify(system, null, 2)} label="Copy diagnostics as JSON" /></span> : null
  return (
    <Part id="system" actions={actions}>
      <AsOf query={query} />
      {system ? <><Health system={system} /><Findings findings={system.findings} /></> : <Unread query={query} />}
    </Part>
  )
}

function Health({ system }: { readonly system: System }) {
  const { database, disk, queue } = system
  const used = disk.total_bytes - disk.free_bytes
  return (
    <div className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
      <Facts title="Server" facts={[['Version', visible(system.version)], ['Python', visible(system.python)], ['Host', visible(system.host)], ['Up for', duration(system.uptime_s * 1000)], ['Memory', bytes(system.memory_bytes)], ['Open streams', count(system.streams)]]} />
      <Facts
        title="Database"
        facts={[
          ['Driver', database.driver === 'sqlite' ? 'SQLite' : database.driver === 'postgres' ? 'PostgreSQL' : visible(database.driver)], ['Schema', database.schema], ['Size', bytes(database.size_bytes)],
          ...(database.wal_bytes === null ? [] : [['Write-ahead log', bytes(database.wal_bytes)] as const]), ['Writes waiting', count(database.waiting)],
        ]}
      />
      <Facts
        title="Disk"
        facts={[['Free', bytes(disk.free_bytes)], ['Of', bytes(disk.total_bytes)], ['Used', <span key="used" className="flex items-center gap-2"><Meter label="Disk used, in bytes" value={used} most={disk.total_bytes} />{disk.total_bytes ? Math.floor((100 * used) / disk.total_bytes) : 0} %</span>]]}
      />
      <Facts
        title="Queue"
        facts={[
          ['Queued', count(queue.queued)], ['Running', count(queue.running)], ['Paused', count(queue.paused)], ['Places', count(queue.slots)],
          ['Workers online', <Link key="workers" to="/workers" className="rounded-sm underline">{queue.workers_online} of {queue.workers}</Link>],
        ]}
      />
    </div>
  )
}

const LOOKS = { ok: [CircleCheck, 'text-good', 'Fine'], warn: [TriangleAlert, 'text-attention', 'Warning'], fail: [CircleX, 'text-bad', 'Problem'] } as const

function Findings({ findings }: { readonly findings: readonly Finding[] }) {
  const [isWhole, setWhole] = useState(false)
  const fine = findings.filter((each) => each.status === 'ok')
  const others = findings.filter((each) => each.status !== 'ok').sort((a, b) => Number(a.status === 'warn') - Number(b.status === 'warn'))
  return (
    <div className="mt-4">
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="font-medium">Checks</h3>
        <span className="text-muted">{others.length === 0 ? `all ${fine.length} are fine` : `${fine.length} of ${findings.length} are fine`}</span>
        <Button size="small" look="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>{isWhole ? 'Show fewer' : 'Show all'}</Button>
      </div>
      <ul className="mt-1 divide-y divide-line-soft">{[...others, ...(isWhole ? fine : [])].map((each) => <Found key={each.name} finding={each} />)}</ul>
    </div>
  )
}

function Found({ finding: { name, status, detail, advice, why } }: { readonly finding: Finding }) {
  const [Icon, color, word] = LOOKS[status]
  return (
    <li className="flex gap-2 py-2">
      <Icon aria-hidden="true" className={`mt-0.5 size-4 shrink-0 ${color}`} />
      <div className="min-w-0 max-w-prose break-words">
        <p><span className="sr-only">{word}: </span><span className="font-medium">{visible(name)}</span> <span className="text-muted">{visible(detail)}</span></p>
        {status !== 'ok' && advice ? <p className="mt-0.5"><span className="text-muted">What to do: </span>{visible(advice)}</p> : null}
        {status !== 'ok' && why ? <p className="mt-0.5 text-xs text-muted">{visible(why)}</p> : null}
      </div>
    </li>
  )
}
