import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunEvent } from './run-source'
import { placeOf, QUIET, Story } from './story'
import { Timeline } from './timeline'

type Told = readonly [type: string, payload?: unknown, level?: string, attempt?: number]

const event = ([type, payload = {}, level = 'info', attempt = 1]: Told, at: number): RunEvent =>
  ({ id: at + 1, run_id: 1, seq: at + 1, attempt, ts: new Date(at * 1000).toISOString(), type, level, payload, late: false, extra: null })

function story(...told: Told[]) {
  const timeline = new Timeline<RunEvent>()
  timeline.offer(told.map(event))
  const made = new Story()
  made.update(timeline)
  return { made, timeline }
}

const ALL = { hidden: new Set<string>(), folded: new Set<number>(), attempt: null }
const log = (line: string): Told => ['log', { lines: [line] }]

describe('a turn', () => {
  const { made } = story(
    ['turn.started', { turn: 1 }], ['message', { text: 'a' }], ['tool.called', { call_id: 'x', name: 'Read' }], ['tool.output', { call_id: 'x' }],
    ['tool.result', { call_id: 'x', ok: false }, 'error'], ['usage', { input_tokens: 5, output_tokens: 2 }], ['cost', { usd: 0.5 }], ['turn.finished'], ['run.completed'],
  )

  it('holds what was done in it, with what it used', () => {
    expect(made.entries.map((each) => [each.seq, each.depth])).toEqual([[1, 0], [2, 1], [3, 1], [9, 0]])
    expect(made.entries[0]).toMatchObject({ inside: 2, tokens: 7, usd: 0.5, end: { seq: 8 } })
  })

  it('pairs a call with its output and its result, and tells of the failure', () => {
    expect(made.entries[2]).toMatchObject({ end: { seq: 5 }, isProblem: true, parts: [{ seq: 4 }] })
    expect([4, 5, 6, 8].map((seq) => made.owner(seq)?.seq)).toEqual([3, 3, 1, 1])
  })

  it('is folded with all that is in it', () => {
    expect(made.shown({ ...ALL, folded: new Set([1]) }).map((each) => each.seq)).toEqual([1, 9])
  })
})

describe('rows', () => {
  it('of sub-agents and spans stand inside of what began them', () => {
    const { made } = story(
      ['tool.called', { id: 't', name: 'Task' }], ['message', { text: 'inner', parent_call_id: 't' }], ['tool.result', { id: 't' }],
      ['span.start', { spanId: 'a' }], ['span.start', { spanId: 'b', parentSpanId: 'a' }], ['span.end', { spanId: 'b' }], ['message', { text: 'outer' }],
    )
    expect(made.entries.map((each) => [each.seq, each.parent?.seq ?? null])).toEqual([[1, null], [2, 1], [4, null], [5, 4], [7, null]])
  })

  it('that say the same stand once', () => {
    const { made } = story(log('wait'), log('wait'), log('wait'), log('done'), log('wait'), ['retry', { attempt: 1 }], ['retry', { attempt: 2 }])
    expect(made.entries.map((each) => [each.seq, each.repeats.length])).toEqual([[1, 2], [4, 0], [5, 0], [6, 0], [7, 0]])
    expect(made.owner(3)?.seq).toBe(1)
  })

  it('are chosen by type and by attempt, and what is hidden is counted', () => {
    const { made } = story(['message', { text: 'a' }], ['raw', { line: 'x' }], ['message', { text: 'b' }, 'info', 2])
    expect(made.shown({ ...ALL, hidden: QUIET }).map((each) => each.seq)).toEqual([1, 3])
    expect(made.shown({ ...ALL, attempt: 2 }).map((each) => each.seq)).toEqual([3])
    expect([...made.counts]).toEqual([['message', 2], ['raw', 1]])
  })

  it('stay findable by number', () => {
    const { made } = story(['message', { text: 'a' }], ['message', { text: 'b' }], ['message', { text: 'c' }])
    expect([0, 1, 2, 9].map((seq) => placeOf(made.entries, seq))).toEqual([-1, 0, 1, 2])
  })
})

it('is the same made at once or event by event, and no event is lost, whatever programs report', () => {
  const payload = fc.record({ id: fc.constantFrom('a', 'b'), spanId: fc.constantFrom('a', 'b'), parentSpanId: fc.constantFrom('a', 'b'), parent_call_id: fc.constantFrom('a', 'b'), ok: fc.boolean(), text: fc.constantFrom('x', 'y'), lines: fc.constantFrom(['x'], ['y', 'z']) }, { requiredKeys: [] })
  const type = fc.constantFrom('turn.started', 'turn.finished', 'tool.called', 'tool.output', 'tool.result', 'span.start', 'span.end', 'message', 'log', 'usage', 'cost', 'input.received', 'input.delivered', 'decision.resolved', 'run.failed', 'x.y')
  const told = fc.tuple(type, fc.oneof(payload, fc.jsonValue()))
  fc.assert(fc.property(fc.array(told, { maxLength: 60 }), fc.integer({ min: 1, max: 7 }), (all, step) => {
    const events = all.map((each, at) => event(each, at))
    const timeline = new Timeline<RunEvent>()
    const grown = new Story()
    for (let at = 0; at < events.length; at += step) {
      timeline.offer(events.slice(at, at + step))
      grown.update(timeline)
    }
    const once = new Story()
    once.update(timeline)
    const shape = (each: Story) => each.entries.map((entry) => [entry.seq, entry.end?.seq, entry.parts.length, entry.repeats.length, entry.parent?.seq, entry.inside])
    expect(shape(grown)).toEqual(shape(once))
    for (const { seq } of events) expect(grown.owner(seq)).toBeDefined()
  }))
})

it('is made anew where older events come before', () => {
  const timeline = new Timeline<RunEvent>(2)
  timeline.offer([event(['message', { text: 'c' }], 2)])
  const made = new Story()
  made.update(timeline)
  timeline.extend('start', [event(['turn.started'], 0), event(['message', { text: 'b' }], 1)])
  made.update(timeline)
  expect(made.entries.map((each) => [each.seq, each.depth])).toEqual([[1, 0], [2, 1], [3, 1]])
})
