import { describe as suite, expect, it } from 'vitest'
import vectors from './vectors/grammar.json'
import { actions, describe, HOLDS, isTerminal, PHASES, REASONS, type Run, type Status, STATUSES } from './words'

type Seen = Pick<Run, 'status' | 'phase' | 'hold' | 'reason' | 'desired'>
const seen = (change: Partial<Seen>): Seen => ({ status: 'RUNNING', phase: null, hold: null, reason: null, desired: 'run', ...change })

it("has a word for everything in the server's lists and for nothing else", () => {
  expect(Object.keys(STATUSES)).toEqual(vectors.statuses)
  expect(Object.keys(PHASES)).toEqual(vectors.phases)
  expect(Object.keys(HOLDS)).toEqual(vectors.holds)
  expect(Object.keys(REASONS)).toEqual(Object.keys(vectors.reasons))
})

it('uses every label once, so that colour is never needed to tell two apart', () => {
  const labels = [STATUSES, PHASES, HOLDS].flatMap((each) => Object.values(each).map((word) => word.label))
  expect(new Set(labels).size).toBe(labels.length)
  expect(new Set(Object.values(REASONS)).size).toBe(vectors.reasons ? Object.keys(REASONS).length : 0)
})

suite('a run is described by', () => {
  it.each<[string, Partial<Seen>, string]>([
    ['its status', {}, 'Running'],
    ['its status while it works', { phase: 'working' }, 'Running'],
    ['a finer phase', { phase: 'stalled' }, 'Stalled'],
    ['what holds it', { status: 'QUEUED', hold: 'capacity' }, 'Waits for capacity'],
    ['the queue', { status: 'QUEUED' }, 'Queued'],
    ['a stop that is wished', { desired: 'stop' }, 'Stopping'],
    ['a pause that is wished', { desired: 'pause', phase: 'working' }, 'Pausing'],
    ['a pause that is fact', { status: 'PAUSED', desired: 'pause' }, 'Paused'],
    ['a resume that is wished', { status: 'PAUSED' }, 'Resuming'],
    ['what is not known before any wish', { phase: 'unreachable', desired: 'stop' }, 'Unreachable'],
    ['its end, whatever was wished', { status: 'COMPLETED', desired: 'stop' }, 'Completed'],
  ])('%s', (_, change, label) => {
    expect(describe(seen(change)).label).toBe(label)
  })

  it('why it ended', () => {
    expect(describe(seen({ status: 'FAILED', reason: 'oom_killed' })).meaning).toBe('Out of memory.')
  })
})

suite('a person may', () => {
  it.each<[Partial<Seen>, readonly string[]]>([
    [{}, ['pause', 'stop']],
    [{ status: 'PAUSED', desired: 'pause' }, ['resume', 'stop']],
    [{ status: 'QUEUED', hold: 'operator' }, ['resume', 'stop']],
    [{ desired: 'pause' }, ['resume', 'stop']],
    [{ desired: 'stop' }, []],
    [{ status: 'FAILED' }, ['retry']],
  ])('%j: %j', (change, allowed) => {
    expect(actions(seen(change))).toEqual(allowed)
  })

  it('change nothing that the table of transitions calls final', () => {
    const changing = new Set(vectors.transitions.map(([from]) => from))
    for (const status of Object.keys(STATUSES) as Status[]) expect(isTerminal(status)).toBe(!changing.has(status))
  })
})
