import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type RunSpan, waterfall } from './waterfall'

const span = (spanId: string, startTs: number, endTs: number | null, parentSpanId: string | null = null): RunSpan =>
  ({ spanId, runId: '1', parentSpanId, name: spanId, kind: 'span', startTs, endTs, status: null, attrs: null })

it('lays each below its parent, in order', () => {
  const { bars, ms } = waterfall([span('b', 20, 30, 'a'), span('a', 0, 100), span('c', 10, 20, 'a'), span('d', 100, null)], 200)
  expect(bars.map((each) => [each.span.spanId, each.depth, each.left, each.width, each.ms])).toEqual([['a', 0, 0, 0.5, 100], ['c', 1, 0.05, 0.05, 10], ['b', 1, 0.1, 0.05, 10], ['d', 0, 0.5, 0.5, null]])
  expect(ms).toBe(200)
})

it('shows every span once and inside of the whole, whatever programs got wrong', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const spans = fc.uniqueArray(fc.record({ id, start: fc.nat(100), end: fc.option(fc.nat(100)), parent: fc.option(id) }), { selector: (each) => each.id })
  fc.assert(fc.property(spans, (all) => {
    const { bars } = waterfall(all.map((each) => span(each.id, each.start, each.end, each.parent)), 120)
    expect(bars.map((each) => each.span.spanId).sort()).toEqual(all.map((each) => each.id).sort())
    for (const { left, width } of bars) expect(left >= 0 && width >= 0 && left + width <= 1.000001).toBe(true)
  }))
})
