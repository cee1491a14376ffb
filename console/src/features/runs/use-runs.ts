/** Runs by query: read in pages, kept true by the stream, never moved under the pointer. */
import { keepPreviousData, type QueryClient, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import type { Client } from 'openapi-fetch'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { News } from '@/lib/runs-feed'
import { EMPTY_LIST, formatSort, type RunsList, type Sort, sorted, patched, withMore, withNew, withUpper } from '@/lib/runs-list'
import type { paths } from '@/lib/schema'
import type { Run } from '@/lib/words'
import { useAccess } from '../access'
import { useNews } from '../live'

const PAGE = 100
const MOST_PAGE = 500
/** How many are sorted here: the server itself lists the newest first. */
export const MOST_SORTED = 2000
const DRAW_MS = 200
const REREAD_MS = 2000

export interface Runs {
  readonly result: UseQueryResult<RunsList>
  readonly list: RunsList
  readonly rows: readonly Run[]
  readonly isLoadingMore: boolean
  /** Rows that match but came after the order was made; only where it is not the newest first. */
  readonly isOrderOld: boolean
  readonly loadMore: () => void
}

export function useRuns(q: string, sort: Sort): Runs {
  const { client } = useAccess()
  const queries = useQueryClient()
  const isByServer = formatSort(sort) === undefined
  const key = useMemo(() => ['runs', q, isByServer ? 'newest' : 'sorted'], [q, isByServer])
  const result = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => {
      const have = queries.getQueryData<RunsList>(key)?.rows.length ?? 0
      return readRuns(client, q, isByServer ? Math.min(Math.max(PAGE, have), MOST_SORTED) : MOST_SORTED, signal)
    },
    placeholderData: keepPreviousData,
    refetchOnMount: 'always',
  })
  const [isOrderOld, setOrderOld] = useState(false)
  useFollowed(queries, client, key, isByServer, setOrderOld)
  const more = useMore(queries, client, key)
  const rows = useOrder(result, sort, setOrderOld)
  return { result, list: result.data ?? EMPTY_LIST, rows, isOrderOld: isOrderOld && !isByServer, ...more }
}

/** The order is made when rows are read, and stays while they change: nothing moves by itself. */
function useOrder(result: UseQueryResult<RunsList>, sort: Sort, setOrderOld: (isOld: boolean) => void): readonly Run[] {
  const { data, dataUpdatedAt } = result
  const text = formatSort(sort)
  const [order, setOrder] = useState<{ key: string; ids: readonly number[] }>({ key: '', ids: [] })
  const present = data?.rows ?? EMPTY_LIST.rows
  const key = `${text ?? ''} ${present.length}`
  if (text !== undefined && order.key !== key) setOrder({ key, ids: sorted(present, sort, dataUpdatedAt).map((run) => run.id) })
  useEffect(() => setOrderOld(false), [key, setOrderOld])
  return useMemo(() => {
    if (text === undefined) return present
    const byId = new Map(present.map((run) => [run.id, run]))
    return order.ids.flatMap((id) => byId.get(id) ?? [])
  }, [text, present, order])
}

function useMore(queries: QueryClient, client: Client<paths>, key: readonly string[]) {
  const [isLoadingMore, setLoading] = useState(false)
  const inFlight = useRef<AbortController | null>(null)
  useEffect(() => () => inFlight.current?.abort(), [key])
  const loadMore = useCallback(() => {
    const list = queries.getQueryData<RunsList>(key)
    if (!list?.cursor || (inFlight.current && !inFlight.current.signal.aborted)) return
    const controller = new AbortController()
    inFlight.current = controller
    setLoading(true)
    const add = async () => {
      const more = await readPage(client, key[1] ?? '', PAGE, list.cursor, controller.signal)
      queries.setQueryData<RunsList>(key, (now) => now && withMore(now, more))
    }
    // What failed is asked for again by the next scroll.
    void add().catch(() => undefined).finally(() => {
      inFlight.current = null
      setLoading(false)
    })
  }, [queries, client, key])
  return { isLoadingMore, loadMore }
}

/** Apply what the stream says: known rows at once, and a short reading of the upper part for what may match now. */
function useFollowed(queries: QueryClient, client: Client<paths>, key: readonly string[], isByServer: boolean, setOrderOld: (isOld: boolean) => void): void {
  const follower = useMemo(() => new Follower(queries, client, key, isByServer, () => setOrderOld(true)), [queries, client, key, isByServer, setOrderOld])
  useEffect(() => {
    follower.start()
    return () => follower.stop()
  }, [follower])
  useNews(useCallback((news: News) => follower.hear(news), [follower]))
}

class Follower {
  #waiting = new Map<number, Run | null>()
  #lowest = Infinity
  #draws: ReturnType<typeof setTimeout> | undefined
  #reads: ReturnType<typeof setTimeout> | undefined
  #reading: AbortController | null = null
  #isOn = false

  constructor(
    private readonly queries: QueryClient,
    private readonly client: Client<paths>,
    private readonly key: readonly string[],
    private readonly isByServer: boolean,
    private readonly onUnordered: () => void,
  ) {}

  start(): void {
    this.#isOn = true
  }

  stop(): void {
    this.#isOn = false
    clearTimeout(this.#draws)
    clearTimeout(this.#reads)
    this.#draws = this.#reads = undefined
    this.#reading?.abort()
    this.#reading = null
  }

  hear(news: News): void {
    if (!this.#isOn) return
    if (news.kind === 'resync') void this.queries.invalidateQueries({ queryKey: this.key }, { cancelRefetch: false })
    if (news.kind !== 'run') return
    this.#waiting.set(news.id, news.run)
    this.#draws ??= setTimeout(() => this.#draw(), DRAW_MS)
  }

  #draw(): void {
    this.#draws = undefined
    const list = this.queries.getQueryData<RunsList>(this.key)
    const news = [...this.#waiting]
    this.#waiting.clear()
    if (!list) return
    const runs = news.flatMap(([, run]) => run ?? [])
    const hasAll = this.key[1] === '' && runs.length === news.length && this.isByServer
    const drawn = patched(list, runs)
    this.queries.setQueryData<RunsList>(this.key, hasAll ? withNew(drawn, runs) : drawn)
    if (hasAll) return
    const known = new Set(list.rows.map((run) => run.id))
    const unknown = news.filter(([id]) => !known.has(id))
    if (!this.isByServer) return unknown.length > 0 ? this.onUnordered() : undefined
    // A run that matches now, or one that matches no longer: only the server knows.
    this.#lowest = Math.min(this.#lowest, ...news.map(([id]) => id))
    this.#reads ??= setTimeout(() => void this.#readUpper(), REREAD_MS)
  }

  async #readUpper(): Promise<void> {
    const list = this.queries.getQueryData<RunsList>(this.key)
    const limit = Math.min(MOST_PAGE, (list?.rows.filter((run) => run.id >= this.#lowest).length ?? 0) + 20)
    this.#lowest = Infinity
    const controller = (this.#reading = new AbortController())
    try {
      const fresh = await readPage(this.client, this.key[1] ?? '', limit, null, controller.signal)
      this.queries.setQueryData<RunsList>(this.key, (now) => now && withUpper(now, fresh))
    } catch {
      // The next news, or the reconnect, reads again.
    } finally {
      this.#reads = undefined
      this.#reading = null
    }
  }
}

async function readRuns(client: Client<paths>, q: string, count: number, signal: AbortSignal): Promise<RunsList> {
  let list = await readPage(client, q, Math.min(MOST_PAGE, count), null, signal)
  while (list.cursor !== null && list.rows.length < count)
    list = withMore(list, await readPage(client, q, Math.min(MOST_PAGE, count - list.rows.length), list.cursor, signal))
  return list
}

async function readPage(client: Client<paths>, q: string, limit: number, cursor: string | null, signal: AbortSignal): Promise<RunsList> {
  const { data } = await client.GET('/v1/runs', { params: { query: { ...(q ? { q } : {}), limit, ...(cursor === null ? {} : { cursor }) } }, signal })
  if (!data) throw new TypeError('The answer has no body.')
  return { rows: data.items, cursor: data.next_cursor, indexedTo: data.indexed_to ?? null }
}
