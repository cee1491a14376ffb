/** The run's spans as a waterfall, with where the time went. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useAccess } from '@/features/access'
import { every } from '@/features/polled'
import { visible } from '@/lib/ansi'
import { brief } from '@/lib/brief'
import { duration, money, count } from '@/lib/format'
import type { components } from '@/lib/schema'
import { type Bar, waterfall, type RunSpan } from '@/lib/waterfall'
import { isTerminal, type Run } from '@/lib/words'
import { Empty, Failure, Skeleton } from '@/ui/states'
import { VirtualList } from '@/ui/virtual-list'

const READ_MS = 5000
const ROW = 28
type Trace = components['schemas']['OpsTrace']

export function TraceTab({ run, now }: { readonly run: Run; readonly now: number }) {
  const { client } = useAccess()
  const isOver = isTerminal(run.status)
  const name = run.external_id ?? `ar-${run.id}`
  const trace = useQuery({
    queryKey: ['trace', run.id, isOver],
    queryFn: async ({ signal }) => {
      const params = { path: { run_id: name } }
      const [spans, summary] = await Promise.all([
        client.GET('/api/runs/{run_id}/spans', { params: { ...params, query: { limit: 10_000 } }, signal }),
        client.GET('/api/runs/{run_id}/trace-summary', { params, signal }),
      ])
      return { spans: spans.data ?? [], summary: summary.data ?? null }
    },
    ...(isOver ? { staleTime: Infinity } : every(READ_MS)),
  })
  if (trace.isPending) return <Skeleton rows={10} />
  if (trace.isError && !trace.data) return <Failure error={trace.error} onRetry={() => void trace.refetch()} />
  if (trace.data.spans.length === 0) {
    return <Empty title="No spans">Each call of a tool is one, and whatever a program reports as <code className="font-mono">span.start</code> and <code className="font-mono">span.end</code>. This run has told of none{isOver ? '' : ' yet'}.</Empty>
  }
  return <Bars spans={trace.data.spans} summary={trace.data.summary} now={isOver ? Date.parse(run.ended_at ?? run.created_at) : now} />
}

function Bars({ spans, summary, now }: { readonly spans: readonly RunSpan[]; readonly summary: Trace | null; readonly now: number }) {
  const { bars, ms } = useMemo(() => waterfall(spans, now), [spans, now])
  return (
    <div className="flex h-full flex-col">
      {summary ? <Summary trace={summary} number={spans.length} /> : null}
      <div aria-hidden="true" className="flex h-7 shrink-0 items-center border-b border-line-soft pr-4 text-xs text-muted">
        <span className="w-40 shrink-0 pl-3 sm:w-72">Span</span>
        <span className="relative h-full min-w-0 flex-1">{[0, 0.25, 0.5, 0.75].map((part) => <span key={part} className={`absolute inset-y-0 items-center border-l border-line-soft pl-1 ${part % 0.5 === 0 ? 'flex' : 'hidden sm:flex'}`} style={{ left: `${part * 100}%` }}>{duration(ms * part)}</span>)}</span>
        <span className="w-20 shrink-0 text-right">Took</span>
      </div>
      <div className="min-h-0 flex-1">
        <VirtualList label="Trace" count={bars.length} rowHeight={ROW} keyOf={(at) => bars[at]?.span.spanId ?? at}>
          {(at) => { const bar = bars[at]; return bar ? <BarRow bar={bar} /> : null }}
        </VirtualList>
      </div>
    </div>
  )
}

function Summary({ trace, number }: { readonly trace: Trace; readonly number: number }) {
  const hot = trace.hotspotsByKindSelf.slice(0, 4)
  return (
    <dl className="flex shrink-0 flex-wrap gap-x-6 gap-y-1 border-b border-line-soft px-3 py-2 text-xs">
      <Figure name="Spans" value={number.toLocaleString('en-US')} />
      <Figure name="Whole" value={duration(trace.totalDurationMs)} />
      <Figure name="Longest chain" value={duration(trace.criticalPathMs)} />
      <Figure name="Failed" value={trace.errorSpans.length.toLocaleString('en-US')} isBad={trace.errorSpans.length > 0} />
      {hot.map((each) => <Figure key={each.kind} name={`In ${visible(each.kind)}`} value={[`${duration(each.totalSelfMs)} in ${each.spanCount}`, each.totalTokens === undefined ? null : `${count(each.totalTokens)} tok`, each.costUsd === undefined ? null : money(each.costUsd)].filter(Boolean).join(', ')} />)}
    </dl>
  )
}

function Figure({ name, value, isBad = false }: { readonly name: string; readonly value: string; readonly isBad?: boolean }) {
  return <div className="flex gap-1.5"><dt className="text-muted">{name}</dt><dd className={`font-medium ${isBad ? 'text-bad' : ''}`}>{value}</dd></div>
}

function BarRow({ bar }: { readonly bar: Bar }) {
  const { span, depth, left, width, ms, isError } = bar
  const told = `${visible(span.name)} (${visible(span.kind)})${isError ? ', failed' : ''}`
  return (
    <div className="flex h-full w-full items-center pr-4" title={`${told}, ${ms === null ? 'still open' : duration(ms)}${span.attrs ? `\n${brief(span.attrs)}` : ''}`}>
      <span role="gridcell" className="flex w-40 shrink-0 items-center gap-2 pl-3 sm:w-72" style={{ paddingLeft: 12 + depth * 14 }}>
        <span className={`truncate ${isError ? 'text-bad' : ''}`}>{visible(span.name)}{isError ? ' (failed)' : ''}</span>
        <span className="hidden truncate text-xs text-muted sm:inline">{visible(span.kind)}</span>
      </span>
      <span role="gridcell" aria-label={told} className="relative h-full min-w-0 flex-1">
        <span className={`absolute top-2 h-3 min-w-0.5 rounded-sm ${isError ? 'bg-bad' : 'bg-active'} ${ms === null ? 'opacity-60' : ''}`} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} />
      </span>
      <span role="gridcell" className="w-20 shrink-0 text-right text-xs text-muted">{ms === null ? 'open' : duration(ms)}</span>
    </div>
  )
}
