/** What the Inbox reads, and how many of it there are: for the page and for its badge alike. */
import { useQuery } from '@tanstack/react-query'
import { Pref } from '@/lib/prefs'
import { documentSight } from '@/lib/sight'
import type { Run } from '@/lib/words'
import { usePref } from '@/ui/pref'
import { useAccess, useConfig } from '../access'
import { every } from '../polled'
import { acceptSeen, needs, type Need, type Seen, seenOf } from './need'

const MOST = 100
const EVERY_MS = 60_000
const WAITING = 'is:active phase:awaiting_decision,awaiting_input,stalled,unreachable'
const FAILED = 'status:failed since:7d'
const LISTS = [WAITING, FAILED] as const
const KEY = ['inbox']

interface Page {
  readonly items: readonly Run[]
  readonly isWhole: boolean
}

interface Lists {
  readonly pages: readonly Page[]
  /** Which of them a hidden tab reads next: it asks for one a minute, in turn. */
  readonly turn: number
}

const seenPref = new Pref<Seen>('seen', { instance: '', until: 0, ids: [] }, acceptSeen)

/** What was seen, and how to see more. */
export function useSeen(): [Seen, (seen: Seen) => void] {
  const { instance } = useConfig()
  const [found, set] = usePref(seenPref)
  return [seenOf(instance, found), set]
}

/** Read again on news of runs, at least once a minute, and by a hidden tab for its badge. */
export function useInbox() {
  const { client } = useAccess()
  return useQuery({
    queryKey: KEY,
    queryFn: async ({ signal, client: queries }): Promise<Lists> => {
      const last = queries.getQueryData<Lists>(KEY)
      const turn = last?.turn ?? 0
      const read = async (q: string, at: number): Promise<Page> => {
        const kept = last?.pages[at]
        if (kept && documentSight().isHidden && at !== turn) return kept
        const { data } = await client.GET('/v1/runs', { params: { query: { q, limit: MOST } }, signal })
        return { items: data?.items ?? [], isWhole: !data?.next_cursor }
      }
      return { pages: await Promise.all(LISTS.map(read)), turn: (turn + 1) % LISTS.length }
    },
    select: joined,
    meta: { live: true, badge: true },
    ...every(EVERY_MS),
  })
}

function joined({ pages }: Lists) {
  return { runs: pages.flatMap((page) => page.items), isWhole: pages.every((page) => page.isWhole) }
}

/** How many runs need a person; 0 while that is not known. */
export function useInboxCount(): number {
  const [seen] = useSeen()
  const { data } = useInbox()
  return data ? needs(data.runs, seen).length : 0
}

/** How many, and which. */
export function useNeeds(): { readonly query: ReturnType<typeof useInbox>; readonly found: readonly Need[] } {
  const [seen] = useSeen()
  const query = useInbox()
  return { query, found: query.data ? needs(query.data.runs, seen) : [] }
}
