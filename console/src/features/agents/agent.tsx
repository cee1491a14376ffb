/** One agent: its figures, its runs and durations over time, its versions and two of them side by side. */
import { Link } from '@tanstack/react-router'
import { useStats } from '@/features/charts/figures'
import { CostOverTime, DurationOverTime, RunsOverTime } from '@/features/charts/flow'
import { Panel } from '@/features/charts/panel'
import { type Range, words } from '@/features/charts/range'
import type { Figures } from '@/features/charts/stretches'
import { interval, percent, whole } from '@/features/charts/written'
import { plain } from '@/lib/ansi'
import { duration, money } from '@/lib/format'
import { Failure, Skeleton } from '@/ui/states'
import { Cells } from './cells'
import { Compare } from './compare'
import { HEADS, SortHead } from './heads'
import { type Order, ordered, pressed } from './order'
import { runsOf } from './runs-of'
import { joined, pair, useVersions, type Version } from './versions'

/** What the address says of the page. */
export interface AgentSearch {
  readonly a?: string
  readonly b?: string
  readonly order: Order
}

export function useAgent(agent: string, range: Range) {
  const stats = useStats({ ...range, agent })
  return { stats, ...useVersions(agent, range) }
}

interface AgentProps {
  readonly name: string
  readonly read: ReturnType<typeof useAgent>
  readonly range: Range
  readonly search: AgentSearch
  readonly onSearch: (more: { readonly sort?: string; readonly a?: string; readonly b?: string }) => void
  readonly onRange: (range: Range) => void
  readonly onOpen: (query: string) => void
}

export function AgentDetail({ name, read: { stats, usage, known }, range, search, onSearch, onRange, onOpen }: AgentProps) {
  if (stats.isPending || usage.isPending || known.isPending) return <Skeleton rows={12} />
  if (!stats.data || !usage.data) return <Failure error={stats.error ?? usage.error} onRetry={() => { void stats.refetch(); void usage.refetch() }} />
  const versions = joined(known.data ?? [], usage.data.items)
  const two = pair(versions, search.a, search.b)
  const flow = { stats: stats.data, of: runsOf(name), onRange, onOpen }
  return (
    <div className="mx-auto flex max-w-[1440px] flex-col gap-3 p-4">
      <Summary figures={stats.data.total} />
      <div className="grid gap-3 lg:grid-cols-2 2xl:grid-cols-3">
        <RunsOverTime {...flow} />
        <DurationOverTime {...flow} />
        {stats.data.total.cost_usd > 0 ? <div className="grid lg:col-span-2 2xl:col-span-1"><CostOverTime {...flow} /></div> : null}
      </div>
      <Versions versions={versions} range={range} agent={name} order={search.order} now={usage.dataUpdatedAt} onSort={(sort) => onSearch({ sort })} />
      {two ? <Compare versions={versions} a={two[0]} b={two[1]} onChoose={(a, b) => onSearch({ a, b })} /> : null}
    </div>
  )
}

function Summary({ figures }: { readonly figures: Figures }) {
  const took = figures.duration_s
  const shown: readonly (readonly [string, string, string])[] = [
    ['Success', percent(figures.success_rate), figures.success_interval ? interval(figures.success_interval) : 'no run judged'],
    ['Runs', whole(figures.runs), `${whole(figures.failed)} failed, ${whole(figures.stopped)} stopped`],
    ['Duration p50', duration(took && took.p50 * 1000), took ? `p95 ${duration(took.p95 * 1000)}, p99 ${duration(took.p99 * 1000)}` : 'none known'],
    ['Cost per success', money(figures.cost_per_success_usd), `${money(figures.cost_usd)} in all`],
  ]
  return (
    <dl className="grid grid-cols-2 rounded-lg border border-line bg-surface lg:grid-cols-4">
      {shown.map(([label, value, note]) => (
        <div key={label} className="min-w-0 px-4 py-3">
          <dt className="text-xs text-muted">{label}</dt>
          <dd className="truncate text-xl font-semibold">{value}</dd>
          <dd className="text-xs text-muted">{note}</dd>
        </div>
      ))}
    </dl>
  )
}

const NAMED = { column: 'name', label: 'Version', title: 'By name', className: '' } as const

interface VersionsProps {
  readonly versions: readonly Version[]
  readonly agent: string
  readonly range: Range
  readonly order: Order
  readonly now: number
  readonly onSort: (sort: string) => void
}

function Versions({ versions, agent, range, order, now, onSort }: VersionsProps) {
  const press = (column: Order['column']) => onSort(pressed(order, column))
  return (
    <Panel title="Versions" note={`${whole(versions.length)}, their runs ${words(range)}`}>
      <div className="max-h-96 overflow-auto" tabIndex={0} role="group" aria-label="Versions">
        <table className="w-full text-sm">
          <thead className="sticky top-0 z-1 bg-surface text-xs text-muted">
            <tr className="h-7">
              <SortHead head={NAMED} order={order} onPress={press} isFirst />
              {HEADS.map((head) => <SortHead key={head.column} head={head} order={order} onPress={press} />)}
            </tr>
          </thead>
          <tbody>
            {ordered(versions, order).map(({ name, figures, made }) => (
              <tr key={name} className="h-9 border-t border-line-soft hover:bg-hover">
                <th scope="row" className="w-1/3 max-w-0 truncate pl-4 text-left font-normal">
                  <span className={`font-mono text-xs ${figures ? '' : 'text-muted'}`} title={plain(name)}>{plain(name)}</span>
                  {made && made.models.length > 0 ? <span className="ml-2 text-xs text-muted">{plain(made.models.join(', '))}</span> : null}
                </th>
                <Cells figures={figures} now={now} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="px-4 py-2 text-xs text-muted"><Link to="/runs" search={{ q: runsOf(agent, range) }} className="text-accent underline">Runs of this agent</Link> created {words(range)}</p>
    </Panel>
  )
}
