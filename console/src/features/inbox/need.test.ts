import { describe, expect, it } from 'vitest'
import type { Run } from '@/lib/words'
import { acceptSeen, needs, type Seen, seenOf, withAllSeen, withSeen } from './need'

const NONE: Seen = { instance: 'a', until: 0, ids: [] }
const time = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
const run = (id: number, part: Partial<Run>) => ({ id, status: 'RUNNING', phase: 'working', desired: 'run', created_at: time(0), started_at: time(0), phase_since: time(0), ended_at: null, reason: null, message: null, ...part }) as Run
const failed = (id: number, minute: number) => run(id, { status: 'FAILED', phase: null, ended_at: time(minute), reason: 'exit_nonzero' })
const ids = (runs: readonly Run[], seen = NONE) => needs(runs, seen).map((each) => each.run.id)

describe('what needs a person', () => {
  it('has what waits for one first, then trouble, then failures, each by how long it waits', () => {
    expect(ids([failed(1, 1), failed(2, 0), run(3, { phase: 'unreachable', phase_since: time(2) }), run(4, { phase: 'stalled', phase_since: time(1) }), run(5, { phase: 'awaiting_input', phase_since: time(9) })])).toEqual([5, 4, 3, 2, 1])
  })

  it('leaves out what goes on, what ended otherwise, what is being stopped, and doubles', () => {
    expect(ids([run(1, {}), run(2, { status: 'COMPLETED' }), run(3, { phase: 'stalled', desired: 'stop' }), run(4, { status: 'QUEUED', phase: 'stalled' }), failed(5, 1), failed(5, 1)])).toEqual([5])
  })

  it('says why in the words of the run', () => {
    expect(needs([failed(1, 1), run(2, { status: 'FAILED', message: 'No such file.' })], NONE).map((each) => each.why)).toEqual(['No such file.', 'The program ended with an error.'])
  })
})

describe('what was seen', () => {
  it('is no longer shown, one by one or all that had ended', () => {
    const all = [failed(1, 1), failed(2, 2), run(3, { phase: 'stalled' })]
    expect(ids(all, withSeen(NONE, 1))).toEqual([3, 2])
    const seen = withAllSeen(NONE, needs(all, NONE))
    expect(ids(all, seen)).toEqual([3])
    // One that began before and ends after is news.
    expect(ids([...all, failed(0, 3)], seen)).toEqual([3, 0])
  })

  it('says nothing of another database', () => {
    expect(seenOf('b', withSeen(NONE, 1))).toEqual({ instance: 'b', until: 0, ids: [] })
  })

  it('is bounded, and taken only in its shape', () => {
    let seen = NONE
    for (let id = 0; id < 1100; id++) seen = withSeen(seen, id)
    expect([seen.ids.length, seen.ids.at(-1)]).toEqual([1000, 1099])
    expect([acceptSeen(seen), acceptSeen({ instance: 'a' }), acceptSeen(null), acceptSeen({ instance: 'a', until: 1, ids: ['x'] })]).toEqual([seen, undefined, undefined, undefined])
  })
})
