import { describe, expect, it } from 'vitest'
import type { RunEvent } from './run-source'
import { covers, lineAt, lineName, rangeOf, TerminalLines } from './terminal'
import { Timeline } from './timeline'

const event = (seq: number, type: string, payload: unknown): RunEvent =>
  ({ id: seq, run_id: 1, seq, attempt: 1, ts: '2026-11-21T12:00:00.000Z', type, level: 'info', payload, late: false, extra: null })

function terminal(...events: RunEvent[]): TerminalLines {
  const timeline = new Timeline<RunEvent>()
  timeline.offer(events)
  const made = new TerminalLines()
  made.update(timeline)
  return made
}

it('has each line by itself, with its stream, and what the runner says between them', () => {
  const { lines, programLines } = terminal(event(1, 'log', { lines: ['a', 'b'] }), event(2, 'log', { stream: 'stderr', lines: ['c'] }), event(3, 'message', { text: 'no' }), event(4, 'run.paused', {}))
  expect(lines.map((each) => [lineName(each), each.from])).toEqual([['L1', 'stdout'], ['L1.2', 'stdout'], ['L2', 'stderr'], ['L4', 'runner']])
  expect(programLines).toBe(3)
})

it('carries a colour on to the next line of its stream', () => {
  const { lines } = terminal(event(1, 'log', { lines: ['\x1b[31mred', 'still'] }), event(2, 'log', { stream: 'stderr', lines: ['plain'] }), event(3, 'log', { lines: ['too\x1b[0m', 'no more'] }))
  expect(lines.map((each) => each.style)).toEqual([{}, { color: 'red' }, {}, { color: 'red' }, {}])
})

describe('a link', () => {
  it.each([
    ['#L120', [120, 1], [120, 1]], ['L120-L140', [120, 1], [140, 1]], ['L7.3-L7.9', [7, 3], [7, 9]], ['L9-L2', [2, 1], [9, 1]],
  ])('%s means lines', (text, from, to) => {
    expect(rangeOf(text)).toEqual({ from, to })
  })

  it.each(['', 'L', 'L-3', 'L1.', 'x', 'L1-2', 'L99999999999999999'])('%j means none', (text) => {
    expect(rangeOf(text)).toBeNull()
  })

  it('covers what is between its ends', () => {
    const range = rangeOf('L2.2-L4')
    expect([[2, 1], [2, 2], [3, 9], [4, 1], [4, 2]].map(([seq = 0, at = 0]) => covers(range, { seq, at }))).toEqual([false, true, true, true, false])
  })

  it('leads to the line, or to the one behind', () => {
    const { lines } = terminal(event(1, 'log', { lines: ['a', 'b'] }), event(2, 'message', {}), event(3, 'log', { lines: ['c'] }))
    expect([[1, 1], [1, 2], [2, 1], [3, 1], [9, 1]].map(([seq = 0, at = 0]) => lineAt(lines, [seq, at]))).toEqual([0, 1, 2, 2, 3])
  })
})
