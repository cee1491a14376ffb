/** A success rate with its interval, as text and as a band on a scale from none to all. */
import { interval, percent, whole } from './written'
import type { Figures } from './stretches'

export function Rate({ figures }: { readonly figures: Figures }) {
  const { success_rate: rate, success_interval: where, completed, failed } = figures
  if (rate === null || where === null) return <span className="text-muted">–</span>
  const high = where.high ?? 1
  return (
    <span className="flex items-center justify-end gap-2" title={`${whole(completed)} completed, ${whole(failed)} failed; the rate lies in ${interval(where)} at 95 %`}>
      <span aria-hidden="true" className="hidden text-xs text-muted xl:inline">{interval(where)}</span>
      <span className="sm:min-w-11">{percent(rate)}</span>
      <span className="sr-only">, between {interval(where)}</span>
      <span aria-hidden="true" className="relative hidden h-3 w-16 shrink-0 sm:block">
        <span className="absolute inset-x-0 top-[5px] h-0.5 rounded-full bg-line-soft" />
        <span className="absolute top-1 h-1 min-w-0.5 rounded-full bg-accent opacity-50" style={{ left: `${where.low * 100}%`, width: `${(high - where.low) * 100}%` }} />
        <span className="absolute top-0.5 h-2 w-0.5 -translate-x-px rounded-full bg-accent" style={{ left: `${rate * 100}%` }} />
      </span>
    </span>
  )
}
