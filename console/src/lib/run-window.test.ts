import { expect, it } from 'vitest'
import { PAGE } from './run-feed'
import { RunWindow } from './run-window'
import { type Numbered, Timeline } from './timeline'

const range = (from: number, to: number): Numbered[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => ({ seq: from + at }))

/** A run of so many events, opened at its end; a page has at most `most` of them, as one of large events has. */
function opened(total: number, { most = PAGE, prunedBefore = 1 } = {}) {
  const timeline = new Timeline<Numbered>(total - 10)
  timeline.offer(range(total - 9, total))
  let [asked, atOnce, mostAtOnce] = [0, 0, 0]
  const state = { problem: null as Error | null, total }
  const window = new RunWindow<Numbered>({
    timeline, onChange: () => undefined,
    page: async (after, limit) => {
      asked++
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await Promise.resolve()
      atOnce--
      if (state.problem) throw state.problem
      const from = Math.max(after + 1, prunedBefore)
      return { items: range(from, Math.min(state.total, from + Math.min(limit, most) - 1)), next_cursor: null, ...(from > after + 1 ? { pruned_before: from } : {}) }
    },
  })
  return { timeline, window, state, asked: () => asked, mostAtOnce: () => mostAtOnce }
}

it('goes back page by page to the first event, one request at a time', async () => {
  const { timeline, window, mostAtOnce } = opened(2500)
  while (window.hasOlder) await Promise.all([window.older(), window.older()])
  expect([timeline.first, timeline.last, mostAtOnce()]).toEqual([1, 2500, 1])
})

it('asks on where a page of large events has fewer', async () => {
  const { timeline, window } = opened(1500, { most: 300 })
  await window.older()
  expect(timeline.first).toBe(1500 - 9 - PAGE)
})

it('ends going back where retention took the rest', async () => {
  const { timeline, window } = opened(1200, { prunedBefore: 900 })
  await window.older()
  expect([timeline.first, window.hasOlder, timeline.notices]).toEqual([900, false, [{ from: 1, to: 899 }]])
  await window.start()
  expect(timeline.first).toBe(900)
})

it('goes to any event, on from there, and back to the live end', async () => {
  const { timeline, window, state } = opened(1_000_000)
  await window.around(500_000)
  expect([timeline.at(500_000), timeline.isAtEnd]).toEqual([{ seq: 500_000 }, false])
  const { last } = timeline
  await window.newer()
  expect(timeline.last).toBe(last + PAGE)
  state.total = 1_000_005
  timeline.offer(range(1_000_001, 1_000_005))
  expect(timeline.last).toBe(last + PAGE)
  await window.start()
  expect(timeline.first).toBe(1)
  await window.end()
  expect(window.hasNewer).toBe(false)
})

it('goes where it was asked to last while it was at work', async () => {
  const { timeline, window } = opened(100_000)
  await Promise.all([window.older(), window.around(5000), window.around(7000)])
  expect(timeline.at(7000)).toEqual({ seq: 7000 })
})

it('tells why it could not, tries again when asked, and asks nothing once stopped', async () => {
  const { window, state, asked } = opened(5000)
  state.problem = new TypeError('away')
  await window.older()
  expect(window.problem?.message).toBe('away')
  state.problem = null
  await window.older()
  expect(window.problem).toBeNull()
  window.stop()
  const before = asked()
  await window.older()
  expect(asked()).toBe(before)
})
