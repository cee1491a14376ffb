/** The newest runs, as they are now. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useAccess } from '@/features/access'
import { OFTEN_MS } from '@/features/charts/figures'
import { Panel } from '@/features/charts/panel'
import { every } from '@/features/polled'
import { plain } from '@/lib/ansi'
import { duration, elapsed, money, relative } from '@/lib/format'
import { describe, type Run } from '@/lib/words'
import { StateChip } from '@/ui/chip'
import { Failure, Skeleton } from '@/ui/states'

const MOST = 10

export function useLately() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['lately'],
    queryFn: async ({ signal }) => (await client.GET('/v1/runs', { params: { query: { q: '', limit: MOST } }, signal })).data?.items ?? [],
    meta: { live: true },
    ...every(OFTEN_MS),
  })
}

export function Lately({ lately }: { readonly lately: ReturnType<typeof useLately> }) {
  const all = <Link to="/runs" className="min-h-6 content-center rounded px-2 text-xs text-accent hover:underline">All runs</Link>
  return (
    <Panel title="Recent activity" actions={all} className="min-h-72">
      {lately.isPending ? <Skeleton rows={6} /> : !lately.data ? <Failure error={lately.error} onRetry={() => void lately.refetch()} /> : (
        // Times are as of the reading: they do not go on while nothing is read.
        <ul className="pb-1">{lately.data.map((run) => <Row key={run.id} run={run} now={lately.dataUpdatedAt} />)}</ul>
      )}
    </Panel>
  )
}

function Row({ run, now }: { readonly run: Run; readonly now: number }) {
  return (
    <li className="border-t border-line-soft first:border-t-0">
      <Link to="/runs/$id" params={{ id: String(run.id) }} className="flex h-8 items-center gap-2 px-4 text-sm -outline-offset-2 hover:bg-hover">
        <span className="flex w-28 shrink-0 items-center overflow-hidden text-xs"><StateChip word={describe(run)} /></span>
        <span className="min-w-0 flex-1 truncate" title={plain(run.title)}>{plain(run.title)}</span>
        <span className="shrink-0 text-xs text-muted">{run.cost_usd ? money(run.cost_usd) : duration(elapsed(run, now))}</span>
        <time dateTime={run.created_at} title={run.created_at} className="w-16 shrink-0 text-right text-xs text-muted">{relative(Date.parse(run.created_at), now)}</time>
      </Link>
    </li>
  )
}
