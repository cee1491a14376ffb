import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Refused, retryAfter, TimedOut, within } from './http'
import { PollPace, reconnectMs } from './pace'
import { Poller, type PollerOptions } from './poller'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function tab() {
  const heard = new Set<() => void>()
  const sight = { isHidden: false, listen: (each: () => void) => (heard.add(each), () => void heard.delete(each)) }
  return { sight, turn: (isHidden: boolean) => ((sight.isHidden = isHidden), [...heard].forEach((each) => each())) }
}

function polled(change: Partial<PollerOptions<number>> = {}) {
  const seen = { values: [] as number[], errors: [] as unknown[], reads: 0, atOnce: 0, most: 0 }
  const view = tab()
  const read = async () => {
    seen.reads++
    seen.most = Math.max(seen.most, ++seen.atOnce)
    await new Promise((resolve) => setTimeout(resolve, 100))
    seen.atOnce--
    return 1
  }
  const poller = new Poller<number>({
    read, onValue: (each) => seen.values.push(each), onError: (each) => seen.errors.push(each),
    isNews: () => false, sight: view.sight, random: () => 1, ...change,
  })
  return { poller, seen, ...view }
}

it('asks once at a time, whoever else wants it now', async () => {
  const { poller, seen } = polled()
  poller.start()
  const joined = [poller.refresh(), poller.refresh()]
  await vi.advanceTimersByTimeAsync(101)
  await Promise.all(joined)
  expect(seen.reads).toBe(1)
  const early = poller.refresh()
  await vi.advanceTimersByTimeAsync(101)
  await early
  expect([seen.reads, seen.most]).toEqual([2, 1])
  poller.stop()
})

it('slows down without news and is fast with it', async () => {
  const idle = polled()
  const busy = polled({ isNews: () => true })
  idle.poller.start()
  busy.poller.start()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(idle.seen.reads).toBeLessThanOrEqual(10)
  expect(busy.seen.reads).toBeGreaterThanOrEqual(36)
  idle.poller.stop()
  busy.poller.stop()
})

it('rests while the tab is hidden and asks at once when it is seen', async () => {
  const { poller, seen, turn } = polled()
  poller.start()
  turn(true)
  await vi.advanceTimersByTimeAsync(60_000)
  const reads = seen.reads
  await vi.advanceTimersByTimeAsync(600_000)
  expect(seen.reads).toBe(reads)
  turn(false)
  await vi.advanceTimersByTimeAsync(10)
  expect(seen.reads).toBe(reads + 1)
  poller.stop()
})

it('gives up a request that is not answered, and waits as long as the server asks', async () => {
  const silent = polled({ read: () => new Promise(() => undefined) })
  silent.poller.start()
  await vi.advanceTimersByTimeAsync(10_001)
  expect(silent.seen.errors[0]).toBeInstanceOf(TimedOut)
  silent.poller.stop()
  let reads = 0
  const refused = polled({ read: () => (reads++, Promise.reject(new Refused(429, 'busy', 'later', null, 20_000))) })
  refused.poller.start()
  await vi.advanceTimersByTimeAsync(19_000)
  expect(reads).toBe(1)
  await vi.advanceTimersByTimeAsync(1_500)
  expect(reads).toBe(2)
  refused.poller.stop()
})

it('says nothing after a stop and never asks twice at once when it is started again', async () => {
  const { poller, seen } = polled()
  poller.start()
  poller.stop()
  poller.start()
  await vi.advanceTimersByTimeAsync(150)
  expect(seen.most).toBe(1)
  poller.stop()
  const values = seen.values.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect([seen.values.length, vi.getTimerCount()]).toEqual([values, 0])
})

it('aborts what it was given when its owner or its time is over', async () => {
  const owner = new AbortController()
  let given: AbortSignal | undefined
  const work = within(1000, owner.signal, (signal) => ((given = signal), new Promise(() => undefined)))
  const failed = expect(work).rejects.toBe('gone')
  owner.abort('gone')
  await failed
  expect(given?.aborted).toBe(true)
  await expect(within(10, owner.signal, () => Promise.resolve(1))).rejects.toBe('gone')
})

it.each([[null, null], ['7', 7000], [' 0 ', 0], ['soon', null], ['Thu, 01 Jan 1970 00:00:09 GMT', 4000]])('Retry-After %j is %j', (text, ms) => {
  expect(retryAfter(text, 5000)).toBe(ms)
})

it('reconnects within half and all of a doubling wait', () => {
  expect([1, 2, 3, 20].map((each) => reconnectMs(each, () => 1))).toEqual([250, 500, 1000, 15_000])
  expect([1, 2, 3, 20].map((each) => reconnectMs(each, () => 0))).toEqual([125, 250, 500, 7500])
})

it('doubles the wait on errors up to the most, and forgets them with an answer', () => {
  const pace = new PollPace(undefined, () => 1)
  expect([pace.failed(), pace.failed(), pace.failed(), pace.failed(), pace.failed(), pace.failed()]).toEqual([3000, 6000, 12_000, 24_000, 30_000, 30_000])
  expect([pace.answered(true), pace.answered(false), pace.failed()]).toEqual([1500, 2250, 3000])
})
