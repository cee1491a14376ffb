import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { GLANCE_MS, HIDDEN_MS, Live } from './live'
import { type News, RunsFeed } from './runs-feed'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function tab() {
  let isHidden = false
  let look: () => void = vi.fn<() => void>()
  const feeds: { feed: RunsFeed; isOn: boolean }[] = []
  const glance = vi.fn<() => void>()
  const live = new Live({
    sight: { get isHidden() { return isHidden }, listen: (heard) => ((look = heard), () => undefined) },
    locks: undefined,
    open: () => ({ postMessage: () => undefined, onmessage: null, close: () => undefined }),
    feed: (onNews) => {
      const each = { feed: new RunsFeed({ source: { probe: () => new Promise(() => undefined), stream: () => new Promise(() => undefined) }, onNews }), isOn: true }
      const stop = each.feed.stop.bind(each.feed)
      each.feed.stop = () => {
        each.isOn = false
        stop()
      }
      feeds.push(each)
      return each.feed
    },
    onGlance: glance,
  })
  const heard: News[] = []
  live.listen((news) => heard.push(news))
  return { live, feeds, glance, heard, hide: (hidden: boolean) => { isHidden = hidden; look() } }
}

it('closes its stream once it was hidden for a while, and glances once a minute', () => {
  const { live, feeds, glance, hide } = tab()
  live.start()
  hide(true)
  vi.advanceTimersByTime(HIDDEN_MS - 1)
  expect(feeds.map((each) => each.isOn)).toEqual([true])
  vi.advanceTimersByTime(1)
  expect([feeds.map((each) => each.isOn), live.state.kind]).toEqual([[false], 'hidden'])
  vi.advanceTimersByTime(3 * GLANCE_MS)
  expect(glance).toHaveBeenCalledTimes(3)
})

it('is back at once when somebody looks, and everything is read again', () => {
  const { live, feeds, heard, hide, glance } = tab()
  live.start()
  hide(true)
  vi.advanceTimersByTime(HIDDEN_MS)
  hide(false)
  expect(feeds.map((each) => each.isOn)).toEqual([false, true])
  expect(heard).toContainEqual({ kind: 'resync' })
  vi.advanceTimersByTime(2 * GLANCE_MS)
  expect(glance).not.toHaveBeenCalled()
})

it('keeps its stream over a short look elsewhere', () => {
  const { live, feeds, hide } = tab()
  live.start()
  hide(true)
  vi.advanceTimersByTime(HIDDEN_MS / 2)
  hide(false)
  vi.advanceTimersByTime(HIDDEN_MS)
  expect(feeds.map((each) => each.isOn)).toEqual([true])
})

it('may be started twice, as Strict Mode does, and leaves one stream', () => {
  const { live, feeds } = tab()
  live.start()
  live.stop()
  live.start()
  expect(feeds.map((each) => each.isOn)).toEqual([false, true])
  live.stop()
  expect(feeds.some((each) => each.isOn)).toBe(false)
})
