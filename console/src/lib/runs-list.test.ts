import { expect, it } from 'vitest'
import { formatSort, nextSort, NEWEST, parseSort, patched, type RunsList, sorted, withMore, withNew, withUpper } from './runs-list'
import type { Run } from './words'

const run = (id: number, change: Partial<Run> = {}): Run => ({ id, title: `run ${id}`, last_seq: 1, cost_usd: null, ...change }) as Run
const list = (ids: readonly number[], cursor: string | null = null): RunsList => ({ rows: ids.map((id) => run(id)), cursor, indexedTo: null })
const ids = ({ rows }: { rows: readonly Run[] }) => rows.map((each) => each.id)

it('takes news of the runs it has, and no older ones', () => {
  const before = list([3, 2, 1])
  const after = patched(before, [run(2, { title: 'new', last_seq: 5 }), run(9)])
  expect(after.rows.map((each) => each.title)).toEqual(['run 3', 'new', 'run 1'])
  expect(patched(after, [run(2, { title: 'old', last_seq: 4 })])).toBe(after)
  expect(patched(before, [run(9)])).toBe(before)
})

it('puts new runs above, the newest first, and nothing that lies within', () => {
  expect(ids(withNew(list([5, 3]), [run(6), run(8), run(4)]))).toEqual([8, 6, 5, 3])
  expect(ids(withNew(list([]), [run(1)]))).toEqual([1])
})

it('replaces the part that was read again and keeps what is below it', () => {
  const before = list([9, 8, 7, 6, 5], 'more')
  // 8 matches no longer, 10 does now.
  expect(withUpper(before, list([10, 9, 7], 'x'))).toMatchObject({ cursor: 'more' })
  expect(ids(withUpper(before, list([10, 9, 7], 'x')))).toEqual([10, 9, 7, 6, 5])
  expect(ids(withUpper(before, list([10])))).toEqual([10])
  expect(ids(withUpper(before, list([])))).toEqual([])
})

it('adds pages without doubling what came in between', () => {
  expect(ids(withMore(list([5, 4], 'a'), list([4, 3])))).toEqual([5, 4, 3])
})

it.each([['-cost', { key: 'cost', isDescending: true }], ['took', { key: 'took', isDescending: false }], ['nonsense', NEWEST], [undefined, NEWEST]] as const)(
  'reads the order %s of an address', (text, sort) => expect(parseSort(text)).toEqual(sort),
)

it('turns an order around and then gives it up', () => {
  const once = nextSort(NEWEST, 'cost')
  const twice = nextSort(once, 'cost')
  expect([once, twice, nextSort(twice, 'cost')].map(formatSort)).toEqual(['-cost', 'cost', undefined])
  expect(formatSort(nextSort(NEWEST, 'title'))).toBe('title')
})

it('sorts what has no value to the end, whichever way', () => {
  const rows = [run(4), run(3, { cost_usd: 2 }), run(2, { cost_usd: 5 }), run(1)]
  expect(sorted(rows, { key: 'cost', isDescending: true }, 0).map((each) => each.id)).toEqual([2, 3, 4, 1])
  expect(sorted(rows, { key: 'cost', isDescending: false }, 0).map((each) => each.id)).toEqual([3, 2, 4, 1])
})
