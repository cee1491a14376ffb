import { expect, it } from 'vitest'
import { change, interval, percent, whole } from './written'

it.each([[0.9264, '92.6%'], [1, '100%'], [0, '0%'], [0.9999, '>99.9%'], [null, '–'], [Number.NaN, '–']])('%s is %s', (share, text) => {
  expect(percent(share)).toBe(text)
})

it('writes an interval, which is open where nothing bounds it', () => {
  expect(interval({ low: 0.897, high: 0.948 })).toBe('89.7–94.8%')
  expect(interval({ low: 0, high: null })).toBe('0.0–100.0%')
  expect(interval(null)).toBe('–')
})

it.each([[10, 12, '+20%'], [10, 8, '−20%'], [10, 10, '±0%'], [0, 5, null], [null, 5, null], [1, 101, '+10,000%']])('%s to %s is %s', (from, to, text) => {
  expect(change(from, to)).toBe(text)
})

it('writes whole numbers in groups', () => {
  expect(whole(4816.9)).toBe('4,816')
})
