/** Why runs failed, as bars whose lengths and words say the same. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useAccess } from '@/features/access'
import { Panel } from '@/features/charts/panel'
import { type Range, terms } from '@/features/charts/range'
import { percent, whole } from '@/features/charts/written'
import { every } from '@/features/polled'
import { Failure, Skeleton } from '@/ui/states'
import { type Cause, causes } from './causes'

/** The most that the server answers at once. */
const MOST = 500
const AGAIN_MS = 60_000

export function Failures({ range }: { readonly range: Range }) {
  const { client } = useAccess()
  const q = `status:failed ${terms(range)}`
  const failed = useQuery({
    queryKey: ['failures', q],
    queryFn: async ({ signal }) => {
      const found = (await client.GET('/v1/runs', { params: { query: { q, limit: MOST } }, signal })).data
      return { causes: causes(found?.items ?? []), count: found?.items.length ?? 0, isCut: found?.next_cursor != null }
    },
    placeholderData: keepPreviousData,
    ...every(AGAIN_MS),
  })
  // Figures over time count runs by their end; here they are found by when they were created.
  const many = failed.data?.isCut ? `the newest ${whole(MOST)}` : whole(failed.data?.count ?? 0)
  const note = failed.data && failed.data.count > 0 ? `${many} created in this time` : null
  return (
    <Panel title="Why runs failed" note={note} className="lg:min-h-[17.5rem]">
      {failed.isPending ? <Skeleton rows={5} /> : failed.data === undefined ? <Failure error={failed.error} onRetry={() => void failed.refetch()} /> : (
        failed.data.count === 0 ? <p className="grid flex-1 place-items-center px-4 pb-6 text-center text-muted">No run that was created in this time has failed.</p> : <Bars causes={failed.data.causes} q={q} />
      )}
    </Panel>
  )
}

const SHARE = 'w-11 text-right text-xs text-muted'

function Bars({ causes: shown, q }: { readonly causes: readonly Cause[]; readonly q: string }) {
  return (
    <>
      <div aria-hidden="true" className="flex h-6 items-center gap-2 px-4 text-xs text-muted"><span className="flex-1">Reason</span><span>Runs</span><span className={SHARE}>Share</span><span className={SHARE}>So far</span></div>
      <ol className="max-h-56 overflow-auto px-2 pb-2">
        {shown.map((each) => (
          <li key={each.reason ?? ''}>
            <Link to="/runs" search={{ q: each.reason === null ? q : `${q} reason:${each.reason}` }} className="relative flex min-h-9 flex-col justify-center rounded px-2 -outline-offset-2 hover:bg-hover">
              <span className="flex items-baseline gap-2 text-sm">
                <span className="min-w-0 flex-1 truncate">{each.label}</span>
                <span>{whole(each.runs)}</span>
                <span className={SHARE}>{percent(each.share, 0)}</span>
                <span className={SHARE}><span className="sr-only">with those above </span>{percent(each.behind, 0)}</span>
              </span>
              <span aria-hidden="true" className="mt-0.5 h-1 rounded-full bg-raised"><span className="block h-1 rounded-full bg-bad" style={{ width: `${each.share * 100}%` }} /></span>
            </Link>
          </li>
        ))}
      </ol>
    </>
  )
}
