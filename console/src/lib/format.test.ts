import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytes, clock, count, duration, elapsed, money, relative, tokens } from './format'

it.each([
  [null, '–'], [NaN, '–'], [-5, '0 ms'], [0, '0 ms'], [999.9, '999 ms'], [1000, '1.0 s'], [9999, '9.9 s'], [10_000, '10 s'],
  [59_999, '59 s'], [60_000, '1 m 00 s'], [187_000, '3 m 07 s'], [3_599_999, '59 m 59 s'], [7_500_000, '2 h 05 m'],
  [86_400_000, '1 d 00 h'], [6 * 86_400_000 + 4 * 3_600_000, '6 d 04 h'],
])('a duration of %s is %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

it.each([
  [null, '–'], [0, '$0'], [0.00001, '<$0.0001'], [0.0042, '$0.0042'], [0.01, '$0.01'], [1.265, '$1.27'], [1204.4, '$1,204'], [-2, '−$2.00'],
])('%s dollars are %s', (usd, text) => {
  expect(money(usd)).toBe(text)
})

it.each([
  [undefined, '–'], [0, '0'], [999, '999'], [1000, '1.0k'], [1299, '1.2k'], [999_999, '999k'], [1_000_000, '1.0M'], [3.45e9, '3.4B'],
])('%s is counted as %s', (value, text) => {
  expect(count(value)).toBe(text)
})

it.each([[0, '0 B'], [1023, '1023 B'], [1024, '1.0 KB'], [1536, '1.5 KB'], [20 * 1024 ** 2, '20 MB'], [1024 ** 5, '1024 TB']])(
  '%s bytes are %s',
  (value, text) => {
    expect(bytes(value)).toBe(text)
  },
)

describe('times', () => {
  const now = Date.parse('2026-11-21T12:03:11Z')

  it.each([[0, 'now'], [-999, 'now'], [-12_000, '12 s ago'], [4_000, 'now'], [180_000, 'in 3 m'], [-5 * 86_400_000, '5 d ago']])(
    '%s ms away are %s',
    (apart, text) => {
      expect(relative(now + apart, now)).toBe(text)
    },
  )

  it('name the day only where it is another', () => {
    expect(clock(now, now, 'UTC')).toBe('12:03:11')
    expect(clock(now - 86_400_000, now, 'UTC')).toBe('2026-11-20 12:03:11')
    expect(clock(now, now, 'Asia/Tokyo')).toBe('21:03:11')
  })

  it('measure a run from its start to its end or to now', () => {
    const started_at = '2026-11-21T12:03:01.000Z'
    expect(elapsed({ started_at: null, ended_at: null }, now)).toBeNull()
    expect(elapsed({ started_at, ended_at: null }, now)).toBe(10_000)
    expect(elapsed({ started_at, ended_at: '2026-11-21T12:03:02.500Z' }, now)).toBe(1500)
  })
})

it('adds up tokens of every kind', () => {
  expect(tokens({ input_tokens: 1, cache_read_tokens: 2, output_tokens: 4, turns: 50 })).toBe(7)
})

it('never shows more time than has passed', () => {
  const size: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (ms) => {
      const parts = [...duration(ms).matchAll(/([0-9.]+) (ms|s|m|h|d)/g)]
      const shown = parts.reduce((sum, [, value, unit]) => sum + Number(value) * (size[unit ?? ''] ?? NaN), 0)
      expect(shown).toBeLessThanOrEqual(ms + 1e-6)
    }),
  )
})
