import { expect, it } from 'vitest'
import type { Figures } from '@/features/charts/stretches'
import { ordered, pressed, readOrder } from './order'

const line = (name: string, runs: number | null, success_rate: number | null = null) => ({ name, figures: runs === null ? null : ({ runs, success_rate } as Figures) })
const LINES = [line('b', 2, 0.5), line('a', 2), line('c', 9, 1), line('d', null)]

it.each([
  [undefined, 'c a b d'],
  ['nonsense', 'c a b d'],
  ['runs', 'a b c d'],
  ['-success', 'c b a d'],
  ['success', 'b c a d'],
  ['name', 'a b c d'],
  ['-name', 'd c b a'],
])('%s is %s', (text, names) => {
  expect(ordered(LINES, readOrder(text)).map((each) => each.name).join(' ')).toBe(names)
})

it('turns round when it is pressed again', () => {
  expect(['runs', 'cost', 'name'].map((each) => pressed(readOrder('-runs'), readOrder(each).column))).toEqual(['runs', '-cost', 'name'])
})
