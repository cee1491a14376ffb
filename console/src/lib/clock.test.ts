import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Clock } from './clock'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

it('ticks once a second while somebody listens, and costs nothing else', () => {
  const clock = new Clock()
  const heard = vi.fn<() => void>()
  const stop = clock.listen(heard)
  vi.advanceTimersByTime(3000)
  expect([heard.mock.calls.length, clock.now]).toEqual([3, 1_003_000])
  stop()
  expect(vi.getTimerCount()).toBe(0)
})

it('stands still while nothing is known, and says since when', () => {
  const clock = new Clock()
  clock.listen(() => undefined)
  vi.advanceTimersByTime(2000)
  clock.setLive(false)
  vi.advanceTimersByTime(60_000)
  expect([clock.now, clock.asOf, vi.getTimerCount()]).toEqual([1_002_000, 1_002_000, 0])
  clock.setLive(true)
  expect([clock.now, clock.asOf]).toEqual([1_062_000, null])
})

it("goes by the server's clock where the two are apart", () => {
  const clock = new Clock()
  clock.adjust(1_500_000, 1_000_000)
  expect(clock.now).toBe(1_500_000)
  clock.adjust(1_000_400, 1_000_000)
  expect(clock.now).toBe(1_000_000)
})
