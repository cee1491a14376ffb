import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Found, joined, NOTHING, searchRun, type SearchPage } from './run-search'

/** A server with hits at some events, that looks at so many events before its time is over and gives so many at once. */
function server(hits: readonly number[], last: number, reach: number, limit: number) {
  return (after: number): Promise<SearchPage> => {
    const to = Math.min(last, after + reach)
    const behind = hits.filter((each) => each > after && each <= to)
    const items = behind.slice(0, limit)
    const complete = to >= last
    const isFull = behind.length > items.length
    return Promise.resolve({ items, count: behind.length, searched_to: to, complete, next_cursor: isFull ? (items.at(-1) ?? null) : complete ? null : to })
  }
}

async function search(ask: (after: number) => Promise<SearchPage>): Promise<Found> {
  let last = NOTHING
  await searchRun(ask, new AbortController().signal, (found) => { last = found })
  return last
}

it('finds each hit once and counts right, however the server cuts its answers', async () => {
  const given = fc.record({ last: fc.integer({ min: 1, max: 200 }), reach: fc.integer({ min: 200, max: 400 }), limit: fc.integer({ min: 1, max: 40 }), hits: fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 60 }) })
  await fc.assert(fc.asyncProperty(given, async ({ last, reach, limit, hits }) => {
    const wanted = hits.filter((each) => each <= last).sort((a, b) => a - b)
    expect(await search(server(wanted, last, reach, limit))).toEqual({ seqs: wanted, count: wanted.length, searchedTo: last, isComplete: true })
  }))
})

it('goes on where the time was over', async () => {
  const found = await search(server([5, 50, 95], 100, 30, 10))
  expect(found).toEqual({ seqs: [5, 50, 95], count: 3, searchedTo: 100, isComplete: true })
})

it('does not ask for ever where a cursor stands still', async () => {
  let asked = 0
  await search(() => { asked++; return Promise.resolve({ items: [1], count: 1, searched_to: 1, complete: false, next_cursor: 0 }) })
  expect(asked).toBe(1)
})

it('takes in what came behind the search', () => {
  expect(joined({ seqs: [3], count: 1, searchedTo: 10, isComplete: true }, [3, 12, 14])).toEqual({ seqs: [3, 12, 14], count: 3, searchedTo: 10, isComplete: true })
})
