/** How queries are read again while somebody looks, and how changes are sent. */
import type { Query } from '@tanstack/react-query'
import { PACE } from '@/lib/pace'

/** Options of a query that is read every `ms`: no overlap, less often after an error, not at all in a hidden tab. */
export function every(ms: number) {
  return {
    refetchInterval: (query: Pick<Query, 'state'>) => (query.state.status === 'error' || query.state.fetchFailureCount > 0 ? PACE.maxMs : ms),
    refetchIntervalInBackground: false,
    refetchOnWindowFocus: true,
    staleTime: ms / 2,
  } as const
}

/** Options of a change: sent at once or refused, never kept to be sent when the network is back. */
export const AT_ONCE = { networkMode: 'always' } as const

/** One key for a change, however often it is sent, so that a lost answer makes nothing twice. */
export function newKey(): string {
  // `randomUUID` is there only where a page comes by TLS or from this host.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, '0')).join('')
}
