/** What the server tells as it happens, for every page: news of runs, the connection, and the clock that stands without it. */
import { type Query, type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { Clock } from '@/lib/clock'
import { Live } from '@/lib/live'
import { PACE } from '@/lib/pace'
import type { RunHub } from '@/lib/run-hub'
import { type LiveState, type News, RunsFeed } from '@/lib/runs-feed'
import { runsSource } from '@/lib/runs-source'
import { documentSight } from '@/lib/sight'
import { PageClock } from '@/ui/now'
import { type Access, type Config, useAccess, useConfig } from './access'

/** No query is read again more often than this because of news, however fast runs change. */
const REREAD_MS = 2000

const Current = createContext<Live | null>(null)

/** Connects while what is inside is shown. Queries with `meta: { live: true }` are read again when runs changed. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const access = useAccess()
  const config = useConfig()
  const queries = useQueryClient()
  const [clock] = useState(() => clockOf(config))
  const [live] = useState(() => openLive(access, { ...PACE, fastMs: config.polling_interval_fast, maxMs: config.polling_max_backoff }, queries))
  useEffect(() => {
    const rereads = new Rereads(queries)
    const deafen = live.listen((news) => {
      if (news.kind === 'state') stateChanged(news.state, clock, queries)
      else rereads.ask()
    })
    const online = () => live.refresh()
    const offline = () => live.recheck()
    addEventListener('online', online)
    addEventListener('offline', offline)
    live.start()
    return () => {
      removeEventListener('online', online)
      removeEventListener('offline', offline)
      live.stop()
      deafen()
      rereads.stop()
    }
  }, [live, queries, clock])
  return <Current value={live}><PageClock value={clock}>{children}</PageClock></Current>
}

function clockOf(config: Config): Clock {
  const clock = new Clock()
  clock.adjust(Date.parse(config.now), config.heardAt)
  return clock
}

/** The state of the connection, to be shown. */
export function useLiveState(): LiveState {
  const live = useLive()
  return useSyncExternalStore((heard) => live.listen(heard), () => live.state)
}

/** Call `heard` with all news while the caller is shown; `heard` has to keep its identity between renders. */
export function useNews(heard: (news: News) => void): void {
  const live = useLive()
  useEffect(() => live.listen(heard), [live, heard])
}

/** Runs read by the browser's one stream. */
export function useSharedRuns(): RunHub {
  return useLive().runs
}

/** Try again now. */
export function useReconnect(): () => void {
  const live = useLive()
  return () => live.refresh()
}

function useLive(): Live {
  const live = useContext(Current)
  if (!live) throw new Error('This stands outside LiveProvider.')
  return live
}

function openLive({ client, session }: Access, pace: typeof PACE, queries: QueryClient): Live {
  return new Live({
    sight: documentSight(),
    // There are none on a page that is neither on loopback nor over TLS; then every tab streams for itself.
    locks: (navigator as Partial<Navigator>).locks,
    open: (name) => new BroadcastChannel(name),
    feed: (onNews, topics) => new RunsFeed({ source: runsSource(client, location.origin, session), onNews, topics, pace, isOnline: () => navigator.onLine }),
    onGlance: () => void queries.refetchQueries({ predicate: (query) => query.meta?.['badge'] === true, type: 'active' }),
  })
}

function stateChanged(state: LiveState, clock: Clock, queries: QueryClient): void {
  clock.setLive(state.kind === 'live' || state.kind === 'polling')
  // The session is over: the gate asks again and shows the way in.
  if (state.kind === 'refused' && state.status === 401) void queries.resetQueries({ queryKey: ['config'] })
}

const isLive = (query: Query) => query.meta?.['live'] === true

/** Reads live queries again: at once after a quiet time, else once per `REREAD_MS`. */
class Rereads {
  #timer: ReturnType<typeof setTimeout> | undefined
  #last = 0

  constructor(private readonly queries: QueryClient) {}

  ask(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#last = Date.now()
      // One that is under way already is joined: no resource is asked twice at once.
      void this.queries.invalidateQueries({ predicate: isLive }, { cancelRefetch: false })
    }, Math.max(0, this.#last + REREAD_MS - Date.now()))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
