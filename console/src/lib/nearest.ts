/** The nearest of some words, by the rule the server uses (Ratcliff and Obershelp), so that both suggest the same. */

interface Span {
  readonly a: readonly [number, number]
  readonly b: readonly [number, number]
}

function longestMatch(a: string, b: string, { a: [aLow, aHigh], b: [bLow, bHigh] }: Span): [number, number, number] {
  let best: [number, number, number] = [aLow, bLow, 0]
  let lengths = new Map<number, number>()
  for (let i = aLow; i < aHigh; i++) {
    const next = new Map<number, number>()
    for (let j = bLow; j < bHigh; j++) {
      if (a[i] !== b[j]) continue
      const length = (lengths.get(j - 1) ?? 0) + 1
      next.set(j, length)
      if (length > best[2]) best = [i - length + 1, j - length + 1, length]
    }
    lengths = next
  }
  return best
}

function matching(a: string, b: string, span: Span): number {
  const [i, j, length] = longestMatch(a, b, span)
  if (length === 0) return 0
  const before = matching(a, b, { a: [span.a[0], i], b: [span.b[0], j] })
  const behind = matching(a, b, { a: [i + length, span.a[1]], b: [j + length, span.b[1]] })
  return before + length + behind
}

/** How alike two texts are, from 0 to 1. */
export function likeness(a: string, b: string): number {
  const total = a.length + b.length
  return total === 0 ? 1 : (2 * matching(a, b, { a: [0, a.length], b: [0, b.length] })) / total
}

/** The known word that `word` begins, else the one most like it; null where none is at least half alike. */
export function nearest(word: string, known: readonly string[]): string | null {
  const begun = word.length > 1 ? known.find((each) => each.startsWith(word)) : undefined
  if (begun !== undefined) return begun
  let best: string | null = null
  let score = 0.5
  for (const each of known) {
    const found = likeness(each, word.slice(0, 50))
    if (found > score || (found === score && (best === null || each > best))) {
      best = each
      score = found
    }
  }
  return best
}
