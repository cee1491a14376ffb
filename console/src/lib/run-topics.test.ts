import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FORGET_MS, MOST, type RunTold, RunTopics } from './run-topics'
import type { Frame } from './sse'

const frame = (event: string, data: object): Frame => ({ event, data: JSON.stringify(data), id: null })
const came = (run_id: number, seq: number) => frame('event', { run_id, seq, type: 'log' })

function topics() {
  const told: RunTold[] = []
  const reopen = vi.fn<() => void>()
  return { told, reopen, topics: new RunTopics((each) => told.push(each), reopen) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('opens the stream anew once for all who came meanwhile, each run from the least that a tab has', () => {
  const { topics: made, reopen } = topics()
  made.wish({ tab: 'a', runs: [[1, 10]] })
  made.wish({ tab: 'b', runs: [[1, 7], [2, 0]] })
  vi.advanceTimersByTime(100)
  expect(reopen).toHaveBeenCalledOnce()
  expect(made.open()).toEqual(['run:1@7', 'run:2@0'])
})

it('goes on where each run was, and says so', () => {
  const { topics: made, told } = topics()
  made.wish({ tab: 'a', runs: [[1, 10]] })
  made.open()
  expect(made.came([frame('resync', {}), came(1, 11), came(1, 12)])).toEqual([frame('resync', {})])
  expect(told).toMatchObject([{ kind: 'watching', runs: [[1, 10]] }, { kind: 'frames', id: 1, frames: [{ id: '11' }, { id: '12' }] }, { kind: 'beat' }])
  made.wish({ tab: 'b', runs: [[2, 4]] })
  expect(made.open()).toEqual(['run:1@12', 'run:2@4'])
})

it('tells a tab that comes to a run on the stream from where it is told, without opening it anew', () => {
  const { topics: made, told, reopen } = topics()
  made.wish({ tab: 'a', runs: [[1, 10]] })
  made.open()
  made.came([came(1, 11)])
  vi.advanceTimersByTime(100)
  told.length = 0
  made.wish({ tab: 'b', runs: [[1, 5]] })
  made.wish({ tab: 'b', runs: [[1, 5]] })
  vi.advanceTimersByTime(10_000)
  expect([told, reopen.mock.calls.length]).toEqual([[{ kind: 'watching', runs: [[1, 11]] }], 0])
})

it('lets go of what nobody watches any more, and of tabs that fell silent', () => {
  const { topics: made, reopen } = topics()
  made.wish({ tab: 'a', runs: [[1, 0]] })
  made.wish({ tab: 'b', runs: [[2, 0]] })
  made.open()
  made.wish({ tab: 'a', runs: [] })
  vi.advanceTimersByTime(3000)
  expect([reopen.mock.calls.length, made.open()]).toEqual([1, ['run:2@0']])
  vi.advanceTimersByTime(FORGET_MS)
  expect(made.open()).toEqual([])
})

it('takes as many runs as the server does, and those that are there stay', () => {
  const { topics: made, reopen } = topics()
  made.wish({ tab: 'a', runs: Array.from({ length: MOST }, (_, at) => [at + 1, 0] as const) })
  made.open()
  made.wish({ tab: 'b', runs: [[99, 0]] })
  vi.advanceTimersByTime(10_000)
  expect(reopen).not.toHaveBeenCalled()
  expect(made.open()).toHaveLength(MOST)
  expect(made.open()).not.toContain('run:99@0')
})

it('gives the end of a run as the stream of that run does, and drops its topic', () => {
  const { topics: made, told } = topics()
  made.wish({ tab: 'a', runs: [[1, 0]] })
  made.open()
  const run = { id: 1, status: 'COMPLETED' }
  made.came([frame('end', { run_id: 1, last_seq: 3, run })])
  expect(told[1]).toEqual({ kind: 'frames', id: 1, frames: [frame('end', run)] })
  made.wish({ tab: 'a', runs: [] })
  expect(made.open()).toEqual([])
})

it('counts what lagged or was pruned as told, and goes back where the database is another', () => {
  const { topics: made } = topics()
  made.wish({ tab: 'a', runs: [[1, 0], [2, 0], [3, 50]] })
  made.open()
  made.came([frame('lagged', { run_id: 1, after: 0, last_seq: 2000 }), frame('pruned', { run_id: 2, pruned_before: 9 }), frame('resync', { run_id: 3, last_seq: 4 })])
  expect(made.open()).toEqual(['run:1@2000', 'run:2@8', 'run:3@4'])
})
