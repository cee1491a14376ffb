/** A long series made short: neighbouring stretches added up. */
import type { Stretch } from './stretches'

export interface Bucket {
  readonly runs: number
  readonly failed: number
}

/** At most `most` buckets, all but the first of the same number of stretches, since it is the newest that are looked at. */
export function buckets(stretches: readonly Stretch[], most: number): Bucket[] {
  const size = Math.max(1, Math.ceil(stretches.length / most))
  const first = stretches.length % size
  const ends = Array.from({ length: Math.ceil(stretches.length / size) }, (_, at) => (first === 0 ? (at + 1) * size : first + at * size))
  return ends.map((end) => {
    const inside = stretches.slice(Math.max(0, end - size), end)
    return { runs: sum(inside, 'runs'), failed: sum(inside, 'failed') }
  })
}

function sum(stretches: readonly Stretch[], name: keyof Bucket): number {
  return stretches.reduce((all, each) => all + (each.figures?.[name] ?? 0), 0)
}
