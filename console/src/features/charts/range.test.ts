import { describe, expect, it } from 'vitest'
import { parse } from '@/lib/query'
import { between, PRESETS, readRange, snapped, terms, words } from './range'

describe('the range of an address', () => {
  it.each([
    [{}, { since: '24h' }],
    [{ since: '7d' }, { since: '7d' }],
    [{ since: 'yesterday' }, { since: '24h' }],
    [{ since: '999999999w' }, { since: '24h' }],
    [{ since: '24h', until: '2026-11-20' }, { since: '24h' }],
    [{ since: '2026-11-20T08:00:00Z', until: '2026-11-20T12:00:00Z' }, { since: '2026-11-20T08:00:00Z', until: '2026-11-20T12:00:00Z' }],
    [{ since: '2026-11-20T12:00:00Z', until: '2026-11-20T08:00:00Z' }, { since: '2026-11-20T12:00:00Z' }],
    [{ since: '2026-11-20', until: 'x' }, { since: '2026-11-20' }],
  ])('%j is %j', (search, range) => {
    expect(readRange(search, '24h')).toEqual(range)
  })
})

it('widens what was marked to whole stretches', () => {
  const at = (text: string) => Date.parse(`2026-11-20T${text}Z`)
  expect(snapped(at('08:10:00'), at('09:10:00'), 3_600_000)).toEqual({ since: '2026-11-20T08:00:00Z', until: '2026-11-20T10:00:00Z' })
  expect(snapped(at('08:00:00'), at('08:00:00'), 3_600_000)).toEqual({ since: '2026-11-20T08:00:00Z', until: '2026-11-20T09:00:00Z' })
})

it('is a query that the grammar takes', () => {
  const ranges = [...PRESETS, between(Date.parse('2026-11-20T08:00:00Z'), Date.parse('2026-11-20T12:00:00.5Z'))]
  for (const range of ranges) expect(parse(terms(range)).length).toBeGreaterThan(0)
})

it('has words', () => {
  expect(words({ since: '7d' })).toBe('in the last 7 days')
  expect(words({ since: '3d' })).toBe('in the last 3d')
  expect(words({ since: '2026-11-20T08:00:00Z', until: '2026-11-20T12:00:00Z' }, 'UTC')).toBe('from 20 Nov 08:00 to 20 Nov 12:00')
})
