/** The present by the server's clock, once a second; it stands still while nothing is known of the server. */
import { createContext, useContext, useSyncExternalStore } from 'react'
import { Clock } from '@/lib/clock'

/** The page's clock; the shell gives it and stops it while the connection is not live. */
export const PageClock = createContext(new Clock())

/** Now, in milliseconds: re-renders once a second, and not at all while the clock stands. */
export function useNow(): number {
  const clock = useContext(PageClock)
  return useSyncExternalStore((heard) => clock.listen(heard), () => clock.now)
}

/** When the clock stopped, to be said as "as of 12:03:11"; null while it ticks. */
export function useAsOf(): number | null {
  const clock = useContext(PageClock)
  return useSyncExternalStore((heard) => clock.listen(heard), () => clock.asOf)
}
