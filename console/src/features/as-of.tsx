/** What stands in the place of something that is not read yet, and above something that could not be read again. */
import type { UseQueryResult } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import { clock } from '@/lib/format'
import { Button } from '@/ui/button'
import { Failure, Skeleton } from '@/ui/states'

/** The parts of a query that are looked at. */
type Read = Pick<UseQueryResult, 'isError' | 'error' | 'data' | 'dataUpdatedAt' | 'fetchStatus' | 'refetch'>

/** It says since when what is shown is old, and why. */
export function AsOf({ query }: { readonly query: Read }) {
  const isOld = query.data !== undefined && (query.isError || query.fetchStatus === 'paused')
  if (!isOld) return null
  const why = query.fetchStatus === 'paused' ? 'You are offline.' : (query.error?.message ?? '')
  return (
    <div role="status" className="flex flex-wrap items-center gap-2 border-b border-line bg-raised px-4 py-1.5 text-attention">
      <TriangleAlert aria-hidden="true" className="size-4 shrink-0" />
      <span className="min-w-0 flex-1">As of {clock(query.dataUpdatedAt, query.dataUpdatedAt)}. {why}</span>
      <Button size="small" look="quiet" onClick={() => void query.refetch()}>Try again</Button>
    </div>
  )
}

/** A skeleton while it is read, the error where that failed. */
export function Unread({ query, rows = 6 }: { readonly query: Read; readonly rows?: number }) {
  return query.isError ? <Failure error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton rows={rows} />
}
