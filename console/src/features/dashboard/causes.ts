/** Why runs failed: the most frequent reason first. */
import { REASONS, type Run } from '@/lib/words'

/** One reason; `share` is of all failures, `behind` of this reason and those above it together. */
export interface Cause {
  readonly reason: Run['reason']
  readonly label: string
  readonly runs: number
  readonly share: number
  readonly behind: number
}

export function causes(failed: readonly Pick<Run, 'reason'>[]): Cause[] {
  const counts = new Map<Run['reason'], number>()
  for (const { reason } of failed) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const order = [...counts].sort(([a, many], [b, more]) => more - many || String(a).localeCompare(String(b)))
  let sum = 0
  return order.map(([reason, runs]) => {
    sum += runs
    return { reason, label: reason === null ? 'No reason was reported' : REASONS[reason], runs, share: runs / failed.length, behind: sum / failed.length }
  })
}
