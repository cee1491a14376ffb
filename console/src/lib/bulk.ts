/** The same deed for many runs: page by page through the server's bulk route, with a count that is known before. */
import { format, MAX_LENGTH, parse, type Term } from './query'
import type { components } from './schema'
import type { Action } from './words'

type Schemas = components['schemas']
export type BulkRequest = Pick<Schemas['BulkRequest'], 'action' | 'q'> & Partial<Schemas['BulkRequest']>
export type BulkPage = Schemas['BulkPage']

/** Which runs: those that were picked, or all that a query finds. */
export type Target = { readonly ids: readonly number[] } | { readonly q: string }

/** What became of them so far. `refusals` counts by the server's words. */
export interface Tally {
  readonly done: number
  readonly pending: number
  readonly refused: number
  readonly refusals: ReadonlyMap<string, number>
}

export const NO_TALLY: Tally = { done: 0, pending: 0, refused: 0, refusals: new Map() }

/** Only to those that it can mean anything for. */
const FITTING: Readonly<Record<Action, Term>> = {
  pause: { field: 'status', values: ['queued', 'running'], isNegated: false },
  resume: { field: 'status', values: ['queued', 'running', 'paused'], isNegated: false },
  stop: { field: 'status', values: ['queued', 'running', 'paused'], isNegated: false },
  retry: { field: 'is', values: ['terminal'], isNegated: false },
}

/** The queries that find the target where the action fits; several where its numbers are too many for one. */
export function queriesFor(target: Target, action: Action): string[] {
  const fitting = FITTING[action]
  if ('q' in target) return [format([...parse(target.q), fitting])]
  const most = MAX_LENGTH - format([fitting]).length - 'id: '.length
  const found: string[] = []
  let values: string[] = []
  const close = () => {
    if (values.length > 0) found.push(format([{ field: 'id', values, isNegated: false }, fitting]))
    values = []
  }
  for (const id of target.ids) {
    if ([...values, id].join().length > most) close()
    values.push(String(id))
  }
  close()
  return found
}

export type Post = (request: BulkRequest, signal: AbortSignal) => Promise<BulkPage>

/** How many runs there are; `onCount` hears the number as it grows. */
export async function countRuns(post: Post, queries: readonly string[], action: Action, signal: AbortSignal, onCount: (count: number) => void): Promise<number> {
  let count = 0
  for await (const page of pages(post, queries, { action, preview: true }, signal)) onCount((count += page.items.length))
  return count
}

/** Do it to all of them; `onTally` hears what became of them as it goes on. */
export async function actOnRuns(post: Post, queries: readonly string[], action: Action, signal: AbortSignal, onTally: (tally: Tally) => void): Promise<Tally> {
  let tally = NO_TALLY
  for await (const page of pages(post, queries, { action, limit: STEP }, signal)) onTally((tally = added(tally, page)))
  return tally
}

/** Small enough that progress is seen and a stop in between leaves little behind. */
const STEP = 200

async function* pages(post: Post, queries: readonly string[], request: Omit<BulkRequest, 'q'>, signal: AbortSignal): AsyncGenerator<BulkPage> {
  for (const q of queries) {
    let cursor: string | null = null
    do {
      signal.throwIfAborted()
      const page: BulkPage = await post({ ...request, q, cursor }, signal)
      yield page
      cursor = page.next_cursor
    } while (cursor !== null)
  }
}

/** A tally with one more page. */
export function added(tally: Tally, page: BulkPage): Tally {
  const refusals = new Map(tally.refusals)
  const number = { done: tally.done, pending: tally.pending, refused: tally.refused }
  for (const item of page.items) {
    if (item.result === 'matches') continue
    number[item.result]++
    const why = item.detail ?? item.code
    if (item.result === 'refused' && why !== null) refusals.set(general(why), (refusals.get(general(why)) ?? 0) + 1)
  }
  return { ...number, refusals }
}

// One sentence for all runs that were refused for the same cause.
function general(detail: string): string {
  return detail.replace(/\b[Rr]un [0-9]+/, 'The run')
}
