import { describe, expect, it } from 'vitest'
import { follows, touchOf, type Touch } from './follow'

const scrolled = (before: number, top: number, fromEnd: number, isOurs = false): Touch => ({ kind: 'scrolled', before, top, fromEnd, isOurs })

describe('following', () => {
  it.each<[string, boolean, Touch, boolean]>([
    ['ends with whatever shows that one reads', true, { kind: 'away' }, false],
    ['begins again by button or End', false, { kind: 'end' }, true],
    ['ends when the scroll bar is drawn up', true, scrolled(1000, 900, 100), false],
    ['begins again at the end', false, scrolled(900, 1000, 32), true],
    ['does not begin on the way there', false, scrolled(900, 950, 33), false],
    ['does not begin where one scrolls up near the end', false, scrolled(1000, 990, 10), false],
    ['is not ended by what the program scrolls', true, scrolled(1000, 200, 800, true), true],
    ['is not begun by what the program scrolls', false, scrolled(200, 1000, 0, true), false],
    ['is not touched by growth below', true, scrolled(1000, 1000, 400), true],
  ])('%s', (_, before, touch, after) => {
    expect(follows(before, touch)).toBe(after)
  })

  it('knows the keys that mean something', () => {
    expect(['ArrowUp', 'PageUp', 'Home', 'End', 'ArrowDown'].map((key) => touchOf(key)?.kind ?? null)).toEqual(['away', 'away', 'away', 'end', null])
  })
})
