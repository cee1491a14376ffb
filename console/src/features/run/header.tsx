/** The part of a run's page that never scrolls: which run, how it is, what it took, and what one may do. */
import { Link } from '@tanstack/react-router'
import { plain, visible } from '@/lib/ansi'
import { clock, count, duration, elapsed, money, tokens } from '@/lib/format'
import type { Connection } from '@/lib/run-feed'
import { describe, type Run } from '@/lib/words'
import { StateChip } from '@/ui/chip'
import { Controls, type Wishing } from './controls'
import { Samples } from './samples'
import { Why } from './why'

interface HeaderProps {
  readonly run: Run
  readonly wishing: Wishing
  readonly connection: Connection
  readonly asOf: number | null
  readonly now: number
}

export function Header({ run, wishing, connection, asOf, now }: HeaderProps) {
  const { shown } = wishing
  return (
    <header className="shrink-0 border-b border-line-soft">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 pt-2.5 pb-1.5">
        <div className="flex min-w-0 flex-1 basis-72 items-center gap-2">
          <Link to="/runs" className="shrink-0 text-muted hover:text-ink hover:underline">Runs</Link>
          <span aria-hidden="true" className="text-muted">/</span>
          <h1 className="min-w-0 truncate text-base font-semibold" title={plain(run.title)}><span className="font-normal text-muted">{run.id}</span> {plain(run.title)}</h1>
        </div>
        <StateChip word={describe(shown)} />
        <ConnectionWords connection={connection} asOf={asOf} now={now} />
        <Controls run={run} wishing={wishing} />
      </div>
      <dl className="flex gap-x-5 gap-y-1 overflow-x-auto px-4 pt-0.5 pb-2 text-xs whitespace-nowrap sm:flex-wrap" tabIndex={0} aria-label="Facts">
        <Fact name={run.ended_at === null ? 'Running for' : 'Took'} value={duration(elapsed(run, asOf ?? now))} title={run.started_at === null ? 'Not started' : `Started ${clock(Date.parse(run.started_at), now)}`} />
        <Fact name="Cost" value={money(run.cost_usd)} />
        <Fact name="Tokens" value={count(tokens(run.usage))} title={usageWords(run)} />
        {run.turns > 0 ? <Fact name="Turns" value={String(run.turns)} /> : null}
        {run.attempt > 1 ? <Fact name="Attempt" value={String(run.attempt)} /> : null}
        <Samples run={run} />
        <Fact name="Agent" value={run.agent === null ? run.backend : `${run.agent}${run.agent_version ? ` ${run.agent_version}` : ''}`} />
        <Fact name="Project" value={run.project} />
        {run.worker ? <Fact name="Worker" value={run.worker.length > 13 ? run.worker.slice(0, 8) : run.worker} title={run.worker} /> : null}
        {run.retry_of === null ? null : <div className="flex gap-1.5"><dt className="text-muted">Retry of</dt><dd><Link to="/runs/$id" params={{ id: String(run.retry_of) }} className="font-medium text-accent hover:underline">run {run.retry_of}</Link></dd></div>}
      </dl>
      <Why run={shown} now={asOf ?? now} />
    </header>
  )
}

function Fact({ name, value, title }: { readonly name: string; readonly value: string; readonly title?: string }) {
  return <div className="flex items-center gap-1.5" title={title}><dt className="text-muted">{name}</dt><dd className="max-w-60 truncate font-medium">{visible(value)}</dd></div>
}

function usageWords({ usage }: Run): string {
  return `${count(usage.input_tokens)} read, ${count(usage.cache_read_tokens)} from the cache, ${count(usage.cache_write_tokens)} into it, ${count(usage.output_tokens)} written`
}

function ConnectionWords({ connection, asOf, now }: { readonly connection: Connection; readonly asOf: number | null; readonly now: number }) {
  const { text, tone } = said(connection, now)
  return (
    <span role="status" className={`flex items-center gap-1.5 text-xs whitespace-nowrap ${tone}`}>
      <span aria-hidden="true" className={`size-1.5 rounded-full ${connection.kind === 'live' ? 'bg-good' : connection.kind === 'polling' ? 'bg-attention' : 'bg-current'}`} />
      {text}{asOf === null || connection.kind === 'connecting' ? '' : `, as of ${clock(asOf, now)}`}
    </span>
  )
}

function said(connection: Connection, now: number): { readonly text: string; readonly tone: string } {
  switch (connection.kind) {
    case 'live': return { text: 'Live', tone: 'text-muted' }
    case 'polling': return { text: 'Live (polling)', tone: 'text-muted' }
    case 'ended': return { text: 'Complete record', tone: 'text-muted' }
    case 'connecting': return { text: 'Connecting', tone: 'text-muted' }
    case 'hidden': return { text: 'Resting', tone: 'text-muted' }
    case 'offline': return { text: 'Offline', tone: 'text-attention' }
    case 'reconnecting': return { text: `Reconnecting${connection.attempt > 1 ? `, try ${connection.attempt}` : ''}${connection.at - now > 1500 ? `, in ${Math.round((connection.at - now) / 1000)} s` : ''}`, tone: 'text-attention' }
    case 'refused': return { text: 'Refused', tone: 'text-bad' }
  }
}
