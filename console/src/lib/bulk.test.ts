import { expect, it } from 'vitest'
import { actOnRuns, type BulkPage, type BulkRequest, countRuns, queriesFor, type Tally } from './bulk'
import { MAX_LENGTH, parse } from './query'

const on = new AbortController().signal

/** A server with some runs of which every third refuses. */
function server(count: number) {
  const asked: BulkRequest[] = []
  const post = (request: BulkRequest): Promise<BulkPage> => {
    asked.push(request)
    const from = Number(request.cursor ?? 0)
    const to = Math.min(count, from + (request.limit ?? 1000))
    const items = Array.from({ length: to - from }, (_, at) => {
      const id = from + at + 1
      const isRefused = id % 3 === 0
      const result = request.preview ? ('matches' as const) : isRefused ? ('refused' as const) : ('pending' as const)
      return { id, result, code: isRefused ? 'invalid_state' : null, detail: isRefused ? `Run ${id} has ended.` : null, new_id: null }
    })
    return Promise.resolve({ items, next_cursor: to < count ? String(to) : null })
  }
  return { post, asked }
}

it('narrows a query to what the action fits', () => {
  expect(queriesFor({ q: 'agent:a text' }, 'stop')).toEqual(['agent:a text status:queued,running,paused'])
  expect(queriesFor({ q: '' }, 'retry')).toEqual(['is:terminal'])
})

it('names any number of runs in queries that the server takes, each once', () => {
  const ids = Array.from({ length: 500 }, (_, at) => 1_000_000 + at)
  const queries = queriesFor({ ids }, 'pause')
  expect(queries.every((q) => q.length <= MAX_LENGTH)).toBe(true)
  expect(queries.flatMap((q) => parse(q).find((term) => term.field === 'id')?.values ?? [])).toEqual(ids.map(String))
  expect(queriesFor({ ids: [] }, 'stop')).toEqual([])
})

it('counts over pages without doing anything', async () => {
  const { post, asked } = server(2500)
  const counts: number[] = []
  expect(await countRuns(post, ['q'], 'stop', on, (count) => counts.push(count))).toBe(2500)
  expect(counts).toEqual([1000, 2000, 2500])
  expect(asked.every((each) => each.preview === true)).toBe(true)
})

it('tells what became of them, refusals by their cause', async () => {
  const { post } = server(300)
  const seen: Tally[] = []
  const tally = await actOnRuns(post, ['q'], 'stop', on, (each) => seen.push(each))
  expect(tally).toMatchObject({ done: 0, pending: 200, refused: 100, refusals: new Map([['The run has ended.', 100]]) })
  expect(seen).toHaveLength(2)
})

it('stops between pages when it is told to', async () => {
  const { post, asked } = server(1000)
  const controller = new AbortController()
  await expect(actOnRuns(post, ['q'], 'stop', controller.signal, () => controller.abort())).rejects.toThrow()
  expect(asked).toHaveLength(1)
})
