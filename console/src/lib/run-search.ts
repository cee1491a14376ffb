/** A text searched for in all of a run's events: the server finds them, page after page, with an exact count. */

export interface SearchPage {
  readonly items: readonly number[]
  readonly next_cursor: number | null
  readonly count: number
  readonly searched_to: number
  readonly complete: boolean
}

/** What was found so far, in order; `count` may be more than `seqs`, of which only so many are kept. */
export interface Found {
  readonly seqs: readonly number[]
  readonly count: number
  readonly searchedTo: number
  readonly isComplete: boolean
}

export const NOTHING: Found = { seqs: [], count: 0, searchedTo: 0, isComplete: false }
export const LONGEST = 200
export const PAGE_HITS = 10_000
const MOST_HITS = 50_000

/** Search until all is looked through; `onFound` hears after every answer. */
export async function searchRun(ask: (after: number, signal: AbortSignal) => Promise<SearchPage>, signal: AbortSignal, onFound: (found: Found) => void): Promise<void> {
  let found = NOTHING
  let isCounted = false
  for (let after: number | null = 0; after !== null && !signal.aborted; ) {
    const page = await ask(after, signal)
    const seqs = [...found.seqs, ...page.items].slice(0, MOST_HITS)
    // A page behind a full one counts again what that one has counted already.
    const count = isCounted ? found.count : found.count + page.count
    isCounted ||= page.complete
    found = { seqs, count, searchedTo: Math.max(found.searchedTo, page.searched_to), isComplete: isCounted }
    onFound(found)
    const isStuck: boolean = page.next_cursor !== null && page.next_cursor <= after
    after = isStuck || seqs.length >= MOST_HITS || (isCounted && seqs.length >= count) ? null : page.next_cursor
  }
}

/** With what came behind the search: `live` are the hits among the events that are held. */
export function joined(found: Found, live: readonly number[]): Found {
  const fresh = live.filter((each) => each > found.searchedTo)
  return fresh.length === 0 ? found : { ...found, seqs: [...found.seqs, ...fresh], count: found.count + fresh.length }
}
