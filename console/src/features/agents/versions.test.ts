import { describe, expect, it } from 'vitest'
import { joined, pair, type Version } from './versions'

const version = (name: string, id: number, seen: string | null): Version => ({
  name, figures: seen === null ? null : ({ last_seen: seen } as Version['figures']), made: { id, version: name, figures: { last_seen: seen } } as Version['made'],
})
const OLD = version('1', 1, '2026-11-01T00:00:00Z')
const LATER = version('2', 2, '2026-11-20T00:00:00Z')
const LAST = version('3', 3, '2026-11-19T00:00:00Z')
const UNUSED = version('4', 4, null)

describe('what is compared', () => {
  it.each([
    [undefined, undefined, ['2', '3']],
    ['1', '2', ['1', '2']],
    ['2', '1', ['2', '1']],
    ['3', undefined, ['3', '2']],
    [undefined, '1', ['2', '1']],
    ['gone', 'gone', ['3', '2']],
    ['1', '1', null],
  ])('%s and %s are %j', (a, b, names) => {
    expect(pair([UNUSED, LAST, LATER, OLD], a, b)?.map((each) => each.name) ?? null).toEqual(names)
  })

  it('is nothing where there is one version only', () => {
    expect(pair([OLD], undefined, undefined)).toBeNull()
    expect(pair([], undefined, undefined)).toBeNull()
  })
})

it('lists versions that did not run, and runs of versions that are not listed', () => {
  const line = (name: string | null) => ({ agent: 'x', version: name, models: [], project: null, figures: { runs: 1 } as never })
  const found = joined([UNUSED.made as never], [line('9'), line(null)])
  expect(found.map(({ name, figures, made }) => [name, figures !== null, made !== null])).toEqual([['4', false, true], ['9', true, false]])
})
