import { expect, it } from 'vitest'
import { buckets } from './buckets'
import type { Figures, Stretch } from './stretches'

const stretch = (runs: number): Stretch => ({ start: 0, end: 1, figures: runs ? ({ runs, failed: 1 } as Figures) : null })

it.each([
  [[1, 2, 3], 5, [1, 2, 3]],
  [[1, 2, 3, 4], 2, [3, 7]],
  [[1, 2, 3, 4, 5], 2, [3, 12]],
  [[1, 0, 3, 4, 5], 3, [1, 3, 9]],
  [[], 3, []],
])('%j in %i are %j', (runs, most, expected) => {
  expect(buckets(runs.map(stretch), most).map((each) => each.runs)).toEqual(expected)
})

it('counts what failed', () => {
  expect(buckets([stretch(2), stretch(0), stretch(2)], 1)).toEqual([{ runs: 4, failed: 2 }])
})
