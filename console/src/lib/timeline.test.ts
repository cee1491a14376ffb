import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bounds, type Numbered, Timeline } from './timeline'

const range = (from: number, to: number): Numbered[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({ seq: from + i }))
const seqs = (timeline: Timeline<Numbered>) => timeline.rows.map((each) => each.seq)
const bounded = (rows: number, bytes = Infinity): Bounds => ({ rows, bytes, waiting: 5 })

describe('the live end', () => {
  it('ends as the server has it, however frames are shuffled, doubled and lost', () => {
    const delivery = fc.integer({ min: 1, max: 60 }).chain((total) =>
      fc.record({ total: fc.constant(total), frames: fc.array(fc.integer({ min: 1, max: total }), { maxLength: 150 }) }),
    )
    fc.assert(
      fc.property(delivery, fc.integer({ min: 1, max: 9 }), ({ total, frames }, step) => {
        const timeline = new Timeline<Numbered>(0, bounded(1000))
        for (let at = 0; at < frames.length; at += step) {
          timeline.offer(frames.slice(at, at + step).map((seq) => ({ seq })))
          expect(seqs(timeline)).toEqual(range(1, timeline.cursor).map((each) => each.seq))
          const { gap } = timeline
          if (gap) expect(gap.before).toBeGreaterThan(gap.after + 1)
        }
        timeline.offer(range(timeline.cursor + 1, total))
        expect(timeline.gap).toBeNull()
        expect(seqs(timeline)).toEqual(range(1, total).map((each) => each.seq))
      }),
    )
  })

  it('tells added from doubled', () => {
    const timeline = new Timeline<Numbered>()
    expect(timeline.offer(range(1, 3))).toEqual({ added: 3, duplicates: 0 })
    expect(timeline.offer([...range(2, 4), { seq: 9 }, { seq: 9 }])).toEqual({ added: 1, duplicates: 3 })
    expect(timeline.gap).toEqual({ after: 4, before: 9 })
    expect(timeline.known).toBe(9)
  })

  it('keeps those nearest the gap where too many wait', () => {
    const timeline = new Timeline<Numbered>(0, bounded(100))
    timeline.offer(range(2, 20))
    timeline.offer([{ seq: 1 }])
    expect(timeline.cursor).toBe(6)
  })

  it('changes its revision with every change', () => {
    const timeline = new Timeline<Numbered>()
    const seen = [timeline.revision]
    timeline.offer(range(1, 2))
    seen.push(timeline.revision)
    timeline.learn(7)
    seen.push(timeline.revision)
    timeline.learn(3)
    expect(timeline.revision).toBe(seen[2])
    expect(new Set(seen).size).toBe(3)
  })
})

describe('a run of a million events', () => {
  it('opens at its end and reads backwards', () => {
    const timeline = new Timeline<Numbered>(999_000)
    timeline.offer(range(999_001, 1_000_000))
    expect([timeline.first, timeline.last, timeline.rows.length]).toEqual([999_001, 1_000_000, 1000])
    expect(timeline.extend('start', range(998_001, 999_000))).toBe(1000)
    expect(timeline.at(998_500)?.seq).toBe(998_500)
    expect(timeline.at(5)).toBeUndefined()
  })

  it('takes no page that would leave a hole', () => {
    const timeline = new Timeline<Numbered>(100)
    timeline.offer(range(101, 110))
    expect(timeline.extend('start', range(50, 60))).toBe(0)
    expect(timeline.extend('start', [...range(90, 94), ...range(96, 100)])).toBe(5)
    expect(timeline.first).toBe(96)
  })

  it('stays within its bounds and loses the far side', () => {
    const timeline = new Timeline<Numbered>(500, bounded(100))
    timeline.offer(range(501, 600))
    timeline.extend('start', range(401, 500))
    expect(timeline.first).toBe(401)
    expect(timeline.rows.length).toBeLessThanOrEqual(100)
    expect(timeline.isAtEnd).toBe(false)
    timeline.offer(range(601, 650))
    expect([timeline.cursor, timeline.known]).toEqual([650, 650])
    expect(timeline.last).toBeLessThan(600)
    while (!timeline.isAtEnd) expect(timeline.extend('end', range(timeline.last + 1, Math.min(timeline.last + 40, 650)))).toBeGreaterThan(0)
    expect(timeline.last).toBe(650)
    timeline.offer([{ seq: 651 }])
    expect(timeline.last).toBe(651)
  })

  it('never exceeds its bounds and is never out of order, whatever is asked', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('live' as const), count: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ kind: fc.constantFrom('start' as const, 'end' as const), count: fc.integer({ min: 1, max: 60 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const timeline = new Timeline<Numbered>(1000, bounded(50, 40 * 12), () => 12)
        for (const { kind, count } of steps) {
          if (kind === 'live') timeline.offer(range(timeline.cursor + 1, timeline.cursor + count))
          else if (kind === 'start') timeline.extend('start', range(Math.max(1, timeline.first - count), timeline.first - 1))
          else timeline.extend('end', range(timeline.last + 1, Math.min(timeline.cursor, timeline.last + count)))
          expect(timeline.rows.length).toBeLessThanOrEqual(40)
          expect(timeline.bytes).toBe(timeline.rows.length * 12)
          expect(seqs(timeline)).toEqual(range(timeline.first, timeline.last).map((each) => each.seq))
        }
      }),
    )
  })

  it('keeps one event that alone is larger than the bound', () => {
    const timeline = new Timeline<Numbered>(0, bounded(10, 100), () => 1000)
    timeline.offer(range(1, 2))
    expect(seqs(timeline)).toEqual([2])
  })
})

describe('what retention took', () => {
  it('is a notice and no gap', () => {
    const timeline = new Timeline<Numbered>()
    timeline.offer([{ seq: 41 }])
    timeline.prune(0, 40)
    timeline.offer([{ seq: 40 }])
    expect(seqs(timeline)).toEqual([40, 41])
    expect(timeline.notices).toEqual([{ from: 1, to: 39 }])
    expect(timeline.prunedAt(7)).toEqual({ from: 1, to: 39 })
    expect(timeline.gap).toBeNull()
  })

  it('may lie between events that are held', () => {
    const timeline = new Timeline<Numbered>()
    timeline.offer(range(1, 3))
    timeline.prune(3, 10)
    timeline.offer(range(10, 12))
    expect(seqs(timeline)).toEqual([1, 2, 3, 10, 11, 12])
    expect(timeline.isAtEnd).toBe(true)
  })

  it('ends reading backwards', () => {
    const timeline = new Timeline<Numbered>(100)
    timeline.offer(range(101, 105))
    timeline.prune(0, 91)
    expect(timeline.extend('start', range(91, 100))).toBe(10)
    expect(timeline.notices).toEqual([{ from: 1, to: 90 }])
  })

  it('is joined where notices touch', () => {
    const timeline = new Timeline<Numbered>(100)
    timeline.prune(0, 10)
    timeline.prune(9, 20)
    timeline.prune(49, 60)
    timeline.prune(4, 4)
    expect(timeline.notices).toEqual([{ from: 1, to: 19 }, { from: 50, to: 59 }])
  })
})
