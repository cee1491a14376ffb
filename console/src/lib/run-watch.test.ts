import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { RunEvent } from './run-source'
import { RunWatch } from './run-watch'
import type { Run } from './words'

const text = new TextEncoder()
const event = (seq: number, type: string): RunEvent => ({ id: seq, run_id: 1, seq, attempt: 1, ts: '2026-11-21T12:00:00.000Z', type, level: 'info', payload: {}, late: false, extra: null })

/** A run of so many events that goes on by stream; `tell` adds an event. */
function watched(total: number) {
  const state = { run: { id: 1, status: 'RUNNING', last_seq: total } as Run, asked: 0, afters: [] as number[] }
  let tell: (event: RunEvent) => void = () => undefined
  async function* stream(signal: AbortSignal) {
    const over = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null)))
    yield text.encode(': \n\n')
    while (!signal.aborted) {
      const next = await Promise.race([over, new Promise<RunEvent>((resolve) => { tell = resolve })])
      if (next) yield text.encode(`id: ${next.seq}\nevent: ${next.type}\ndata: ${JSON.stringify(next)}\n\n`)
    }
  }
  const watch = new RunWatch({
    sight: { isHidden: false, listen: () => () => undefined }, isOnline: () => true,
    onFrame: (draw) => { const timer = setTimeout(draw, 16); return () => clearTimeout(timer) },
    source: {
      run: () => { state.asked++; return Promise.resolve(state.run) },
      page: (after, limit) => {
        state.afters.push(after)
        const items = Array.from({ length: Math.min(limit, total - after) }, (_, at) => event(after + at + 1, 'log'))
        return Promise.resolve({ items, next_cursor: null })
      },
      stream: (_, signal) => Promise.resolve(stream(signal)),
    },
  })
  return { watch, state, tell: (each: RunEvent) => { state.run = { ...state.run, last_seq: each.seq }; tell(each) } }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('opens a long run at its end, and holds what is before on demand', async () => {
  const { watch, state } = watched(1_000_000)
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  expect([state.afters, watch.timeline.first, watch.timeline.last]).toEqual([[999_000], 999_001, 1_000_000])
  watch.begin()
  await vi.advanceTimersByTimeAsync(100)
  expect(watch.timeline.first).toBe(1)
  watch.stop()
})

it('asks how the run is as soon as an event bears on that, and now and then beside the stream', async () => {
  const { watch, state, tell } = watched(3)
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  const before = state.asked
  tell(event(4, 'log'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(state.asked).toBe(before)
  state.run = { ...state.run, status: 'PAUSED' }
  tell(event(5, 'run.paused'))
  await vi.advanceTimersByTimeAsync(500)
  expect([state.asked, watch.watched.run?.status]).toEqual([before + 1, 'PAUSED'])
  await vi.advanceTimersByTimeAsync(5100)
  expect(state.asked).toBe(before + 2)
  watch.stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([state.asked, vi.getTimerCount()]).toEqual([before + 2, 0])
})

it('goes on where it was after a stop, as Strict Mode has it', async () => {
  const { watch, state } = watched(5)
  watch.start()
  watch.stop()
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  watch.stop()
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  expect([watch.timeline.rows.map((each) => each.seq), watch.watched.connection.kind]).toEqual([[1, 2, 3, 4, 5], 'live'])
  expect(state.afters.at(-1)).toBe(5)
  watch.stop()
})

it('tells at most once a frame, and a stale answer changes nothing', async () => {
  const { watch, tell } = watched(1)
  let heard = 0
  watch.listen(() => { heard++ })
  watch.start()
  await vi.advanceTimersByTimeAsync(100)
  heard = 0
  for (let seq = 2; seq < 12; seq++) { tell(event(seq, 'log')); await vi.advanceTimersByTimeAsync(1) }
  await vi.advanceTimersByTimeAsync(30)
  expect(heard).toBeLessThanOrEqual(2)
  watch.learn({ id: 1, status: 'STOPPED', last_seq: 99 } as Run)
  watch.learn({ id: 1, status: 'RUNNING', last_seq: 100 } as Run)
  await vi.advanceTimersByTimeAsync(20)
  expect(watch.watched.run?.status).toBe('STOPPED')
  watch.stop()
})
