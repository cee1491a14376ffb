import { expect, it } from 'vitest'
import { axisSeconds, stacked, top, WHOLE } from './columns'

it('puts columns on top of each other', () => {
  const column = (values: (number | null)[]) => ({ key: 'k', label: 'K', tone: 'good' as const, values })
  expect(stacked([column([1, null, 2]), column([1, 4, null])])).toEqual([[1, 0, 2], [2, 4, 2]])
})

it('leaves some room above, and is never of no height', () => {
  expect([top(null), top(0), top(100)]).toEqual([1, 1, 106])
})

it.each([[0, '0'], [0.2, '200 ms'], [30, '30 s'], [90, '1.5 m'], [7200, '2 h'], [172_800, '2 d']])('marks %d s as %s', (seconds, text) => {
  expect(axisSeconds(seconds)).toBe(text)
})

it('counts whole things in whole steps', () => {
  expect(WHOLE.slice(0, 6)).toEqual([1, 2, 5, 10, 20, 50])
})
