/** Spans as a waterfall: each below its parent, in the order in which they began, whatever programs got wrong. */
import type { components } from './schema'

export type RunSpan = components['schemas']['OpsSpan']

export interface Bar {
  readonly span: RunSpan
  readonly depth: number
  /** Where it begins and how long it is, each from 0 to 1 of the whole. */
  readonly left: number
  readonly width: number
  readonly ms: number | null
  readonly isError: boolean
}

export interface Waterfall {
  readonly bars: readonly Bar[]
  readonly from: number
  readonly ms: number
}

const DEEPEST = 12

/** Lay out spans; `now` ends those that last. */
export function waterfall(spans: readonly RunSpan[], now: number): Waterfall {
  if (spans.length === 0) return { bars: [], from: now, ms: 0 }
  const from = Math.min(...chunked(spans, (span) => span.startTs, Math.min))
  const to = Math.max(from + 1, ...chunked(spans, (span) => Math.max(span.startTs, span.endTs ?? now), Math.max))
  const ms = to - from
  const bars = inOrder(spans).map(({ span, depth }): Bar => {
    const end = Math.max(span.startTs, span.endTs ?? now)
    return {
      span, depth, left: (span.startTs - from) / ms, width: (end - span.startTs) / ms,
      ms: span.endTs == null ? null : Math.max(0, span.endTs - span.startTs), isError: span.status === 'error',
    }
  })
  return { bars, from, ms }
}

// Spreading ten thousand arguments at once is more than some engines take.
function chunked(spans: readonly RunSpan[], of: (span: RunSpan) => number, pick: (...all: number[]) => number): number[] {
  const found: number[] = []
  for (let at = 0; at < spans.length; at += 1000) found.push(pick(...spans.slice(at, at + 1000).map(of)))
  return found
}

interface Placed {
  readonly span: RunSpan
  readonly depth: number
}

function inOrder(spans: readonly RunSpan[]): Placed[] {
  const known = new Set(spans.map((each) => each.spanId))
  const children = new Map<string, RunSpan[]>()
  const roots: RunSpan[] = []
  for (const span of [...spans].sort((a, b) => a.startTs - b.startTs)) {
    const parent = span.parentSpanId
    if (parent == null || parent === span.spanId || !known.has(parent)) roots.push(span)
    else if (!children.get(parent)?.push(span)) children.set(parent, [span])
  }
  const placed = walk(roots, children)
  const seen = new Set(placed.map((each) => each.span.spanId))
  // What only a circle leads to stands at the end, rather than nowhere.
  return [...placed, ...spans.filter((each) => !seen.has(each.spanId)).map((span) => ({ span, depth: 0 }))]
}

function walk(roots: readonly RunSpan[], children: ReadonlyMap<string, readonly RunSpan[]>): Placed[] {
  const placed: Placed[] = []
  const todo = roots.toReversed().map((span) => ({ span, depth: 0 }))
  for (let next = todo.pop(); next; next = todo.pop()) {
    placed.push(next)
    const depth = Math.min(next.depth + 1, DEEPEST)
    for (const span of (children.get(next.span.spanId) ?? []).toReversed()) todo.push({ span, depth })
  }
  return placed
}
