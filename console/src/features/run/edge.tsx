/** What is said of events that are not held: older ones being fetched, failing to, or gone for good. */
import type { RunWatch } from '@/lib/run-watch'
import { Button } from '@/ui/button'

/** Lies over the first rows, so that nothing moves when it comes and goes. */
export function Edge({ watch }: { readonly watch: RunWatch }) {
  const { window } = watch
  const look = 'absolute inset-x-0 top-0 z-10 flex min-h-7 items-center gap-2 border-b border-line bg-raised px-3 text-xs'
  if (window.problem) {
    return (
      <p role="alert" className={`${look} text-bad`}>
        Other events could not be read: {window.problem.message}
        <Button size="small" look="quiet" onClick={() => void window.older()}>Try again</Button>
      </p>
    )
  }
  return window.isBusy ? <p role="status" className={`${look} text-muted`}>Reading more events</p> : null
}

/** Where the rows that are held begin; what retention took. */
export function Begin({ watch }: { readonly watch: RunWatch }) {
  const { window, timeline } = watch
  const gone = timeline.notices.at(-1)
  if (window.hasOlder) return <span className="hidden text-xs whitespace-nowrap text-muted md:inline" title="Scroll up to read them">{(timeline.first - 1).toLocaleString('en-US')} older above</span>
  return gone ? <span className="text-xs text-attention" title="Their retention is over">Events {gone.from.toLocaleString('en-US')} to {gone.to.toLocaleString('en-US')} are no longer kept</span> : null
}
