/** When figures were read, and a way to read them now. */
import { RefreshCw } from 'lucide-react'
import { AsOf } from '@/features/as-of'
import { clock } from '@/lib/format'

type Read = Parameters<typeof AsOf>[0]['query'] & { readonly isFetching: boolean }

/** The oldest reading counts: nothing on the page is older. */
export function Freshness({ reads }: { readonly reads: readonly Read[] }) {
  const at = Math.min(...reads.filter((each) => each.dataUpdatedAt > 0).map((each) => each.dataUpdatedAt))
  const isBusy = reads.some((each) => each.isFetching)
  return (
    <span className="flex items-center text-xs text-muted">
      {Number.isFinite(at) ? <time className="hidden sm:inline" dateTime={new Date(at).toISOString()} title="When these figures were read">{clock(at, at)}</time> : null}
      <button type="button" aria-label="Read the figures again" title="Read again" className="grid size-7 place-items-center rounded hover:text-ink" onClick={() => { for (const each of reads) void each.refetch() }}>
        <RefreshCw aria-hidden="true" className={`size-3.5 ${isBusy ? 'animate-spin' : ''}`} />
      </button>
    </span>
  )
}

/** One line for all readings of a page: where one of them failed. */
export function Stale({ reads }: { readonly reads: readonly Read[] }) {
  const old = reads.find((each) => each.data !== undefined && (each.isError || each.fetchStatus === 'paused'))
  return old ? <AsOf query={old} /> : null
}
