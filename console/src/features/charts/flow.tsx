/** Runs, waits, durations and cost over time. */
import { Chart } from './chart'
import { type Column, axisSeconds, SECONDS, WHOLE } from './columns'
import type { Range } from './range'
import { type Figures, pace, type Stats, stretches } from './stretches'
import { whole } from './written'
import { count, duration, money } from '@/lib/format'

interface FlowProps {
  readonly stats: Stats
  /** Whose runs, as a query; all where it is left away. */
  readonly of?: string
  readonly onRange: (range: Range) => void
  readonly onOpen: (query: string) => void
}

const seconds = (value: number | null) => duration(value === null ? null : value * 1000)
const dollars = (value: number) => (value === 0 ? '$0' : money(value).replace(/\.00$/, ''))

function over(stats: Stats) {
  const all = stretches(stats, stats.series[0]?.points ?? [])
  const values = (pick: (figures: Figures) => number | null | undefined, none: number | null) => all.map((each) => (each.figures ? (pick(each.figures) ?? null) : none))
  return { all, values }
}

export function RunsOverTime({ stats, of = '', ...rest }: FlowProps) {
  const { all, values } = over(stats)
  const columns: readonly Column[] = [
    { key: 'completed', label: 'Completed', tone: 'good', values: values((each) => each.completed, 0) },
    { key: 'failed', label: 'Failed', tone: 'bad', values: values((each) => each.failed, 0) },
    { key: 'stopped', label: 'Stopped', tone: 'neutral', values: values((each) => each.stopped, 0) },
  ]
  const { completed, failed, stopped } = stats.total
  return (
    <Chart
      {...rest} title="Runs that ended" note={pace(stats.step_s)} kind="bars" stretches={all} columns={columns} totals={[completed, failed, stopped]} query={`is:terminal ${of}`}
      write={(value) => (value === null ? '–' : whole(value))} marks={{ distances: WHOLE, write: count }} empty="No run has ended in this time."
    />
  )
}

export function WaitOverTime({ stats, of = '', ...rest }: FlowProps) {
  const { all, values } = over(stats)
  const columns: readonly Column[] = [
    { key: 'p50', label: 'p50', tone: 'accent', values: values((each) => each.wait_s?.p50, null) },
    { key: 'p95', label: 'p95', tone: 'attention', dash: [5, 3], values: values((each) => each.wait_s?.p95, null) },
  ]
  const total = stats.total.wait_s
  return (
    <Chart
      {...rest} title="Wait in the queue" note={pace(stats.step_s)} kind="lines" stretches={all} columns={columns} totals={[total?.p50 ?? null, total?.p95 ?? null]}
      query={of} write={seconds} marks={{ distances: SECONDS, write: axisSeconds }} empty="No run that a worker here started has ended in this time; runs reported from elsewhere do not wait."
    />
  )
}

export function CostOverTime({ stats, of = '', ...rest }: FlowProps) {
  const { all, values } = over(stats)
  const columns: readonly Column[] = [{ key: 'cost', label: 'Cost', tone: 'accent', values: values((each) => each.cost_usd, 0) }]
  return (
    <Chart
      {...rest} title="Cost" note={pace(stats.step_s)} kind="bars" stretches={all} columns={columns} totals={[stats.total.cost_usd]} query={`cost:>0 ${of}`}
      write={money} marks={{ write: dollars }} empty="Nothing in this time has a price: no run, or none that said what it cost."
    />
  )
}

export function DurationOverTime({ stats, of = '', ...rest }: FlowProps) {
  const { all, values } = over(stats)
  const columns: readonly Column[] = [
    { key: 'p50', label: 'p50', tone: 'accent', values: values((each) => each.duration_s?.p50, null) },
    { key: 'p95', label: 'p95', tone: 'attention', dash: [5, 3], values: values((each) => each.duration_s?.p95, null) },
    { key: 'p99', label: 'p99', tone: 'bad', dash: [2, 2], values: values((each) => each.duration_s?.p99, null) },
  ]
  const total = stats.total.duration_s
  return (
    <Chart
      {...rest} title="Duration" note={pace(stats.step_s)} kind="lines" stretches={all} columns={columns} totals={[total?.p50 ?? null, total?.p95 ?? null, total?.p99 ?? null]}
      query={of} write={seconds} marks={{ distances: SECONDS, write: axisSeconds }} empty="No run with a duration has ended in this time."
    />
  )
}
