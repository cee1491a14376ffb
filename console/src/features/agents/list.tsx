/** All agents with what their runs came to; each leads to its versions. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useAccess } from '@/features/access'
import { useStats, useUsage } from '@/features/charts/figures'
import { type Range, words } from '@/features/charts/range'
import { Spark } from '@/features/charts/spark'
import { type Figures, stretches } from '@/features/charts/stretches'
import { whole } from '@/features/charts/written'
import { every } from '@/features/polled'
import { plain } from '@/lib/ansi'
import { Snippet } from '@/ui/copy'
import { Empty, Failure, Skeleton } from '@/ui/states'
import { Cells } from './cells'
import { HEADS, SortHead } from './heads'
import { type Lined, type Order, ordered, pressed } from './order'
import { runsOf } from './runs-of'

const MOST_KNOWN = 500
const KNOWN_MS = 60_000
const NAMED = { column: 'name', label: 'Agent', title: 'By name', className: '' } as const

export function useAgents(range: Range) {
  const { client } = useAccess()
  const usage = useUsage({ ...range, by: 'agent' })
  const trend = useStats({ ...range, by: 'agent' })
  const known = useQuery({
    queryKey: ['agents'],
    queryFn: async ({ signal }) => (await client.GET('/v1/agents', { params: { query: { limit: MOST_KNOWN } }, signal })).data ?? null,
    ...every(KNOWN_MS),
  })
  return { usage, trend, known }
}

interface AgentsProps {
  readonly agents: ReturnType<typeof useAgents>
  readonly range: Range
  readonly order: Order
  readonly onSort: (sort: string) => void
}

export function Agents({ agents: { usage, trend, known }, range, order, onSort }: AgentsProps) {
  if (usage.isPending || known.isPending) return <Skeleton rows={10} />
  if (!usage.data) return <Failure error={usage.error} onRetry={() => void usage.refetch()} />
  const lines: Lined[] = usage.data.items.flatMap(({ agent, figures }) => (agent === null ? [] : [{ name: agent, figures }]))
  const busy = new Set(lines.map((each) => each.name))
  const idle = (known.data?.items ?? []).filter((each) => !busy.has(each.name)).map(({ name }) => ({ name, figures: null }))
  const series = new Map(trend.data?.series.map((each) => [each.agent, each.points]))
  const shown = ordered([...lines, ...idle], order)
  if (shown.length === 0) return <NoAgents />
  const others = usage.data.items.find((each) => each.agent === null)?.figures ?? null
  const press = (column: Order['column']) => onSort(pressed(order, column))
  return (
    <>
      <table className="w-full text-sm">
        <caption className="sr-only">Agents, by their runs that ended {words(range)}</caption>
        <thead className="sticky top-0 z-1 bg-surface text-xs text-muted">
          <tr className="h-8 shadow-[inset_0_-1px_0_var(--line)]">
            <SortHead head={NAMED} order={order} onPress={press} isFirst />
            {HEADS.map((head) => <SortHead key={head.column} head={head} order={order} onPress={press} />)}
            <th scope="col" className="hidden w-32 pr-4 pl-2 text-left font-medium lg:table-cell">Trend</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, figures }) => (
            <Row key={name} name={name} figures={figures} now={usage.dataUpdatedAt} range={range}>
              {trend.data && series.has(name) ? <Spark stretches={stretches(trend.data, series.get(name) ?? [])} /> : null}
            </Row>
          ))}
        </tbody>
      </table>
      <Footnote others={others} leftOff={usage.data.left_off} isCut={known.data?.next_cursor != null} range={range} />
    </>
  )
}

interface RowProps {
  readonly name: string
  readonly figures: Figures | null
  readonly now: number
  readonly range: Range
  readonly children: React.ReactNode
}

function Row({ name, figures, now, range, children }: RowProps) {
  return (
    <tr className="h-9 border-b border-line-soft hover:bg-hover">
      <th scope="row" className="w-1/3 max-w-0 truncate pl-4 text-left font-medium" title={plain(name)}>
        <Link to="/agents" search={{ ...range, agent: name }} className={`block truncate leading-8 hover:underline ${figures ? '' : 'font-normal text-muted'}`}>{plain(name)}</Link>
      </th>
      <Cells figures={figures} now={now} query={runsOf(name, range)} />
      <td className="hidden pr-4 pl-2 lg:table-cell">{children}</td>
    </tr>
  )
}

interface FootnoteProps {
  readonly others: Figures | null
  readonly leftOff: number
  readonly isCut: boolean
  readonly range: Range
}

function Footnote({ others, leftOff, isCut, range }: FootnoteProps) {
  const notes = [
    others ? `${whole(others.runs)} runs ${words(range)} belong to no agent.` : null,
    leftOff > 0 ? `${whole(leftOff)} further agents cost less than these.` : null,
    isCut ? `Of the agents without runs in this time, those among the first ${whole(MOST_KNOWN)} by name are listed.` : null,
  ].filter((each) => each !== null)
  return notes.length > 0 ? <p className="px-4 py-3 text-xs text-muted">{notes.join(' ')}</p> : null
}

function NoAgents() {
  return (
    <Empty title="No agents yet">
      <p className="mb-2">An agent is the name that a run gives. Its versions are then measured here, side by side:</p>
      <Snippet label="Run with an agent" text={'agentrunner run --agent checks -- sh -c "echo it works"'} />
      <p className="mt-4 mb-2">What runs elsewhere is reported by:</p>
      <Snippet label="Report a run of an agent" text={'agentrunner exec --title "Unit tests" --agent checks -- sh -c "echo 3 passed"'} />
    </Empty>
  )
}
