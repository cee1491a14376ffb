/** What can be done to the picked runs; the deed that ends them stands apart from the others. */
import { CircleStop, Pause, Play, RotateCcw, X } from 'lucide-react'
import type { Action } from '@/lib/words'
import { Button } from '@/ui/button'
import type { Selection } from './selection'

interface SelectionBarProps {
  readonly selection: Selection
  readonly loaded: number
  readonly hasMore: boolean
  readonly mayAct: boolean
  readonly onAct: (action: Action) => void
}

export function SelectionBar({ selection, loaded, hasMore, mayAct, onAct }: SelectionBarProps) {
  const { ids, isAllMatching } = selection
  const said = isAllMatching ? 'All that match' : `${ids.size.toLocaleString('en-US')} selected`
  return (
    <div role="toolbar" aria-label="Selected runs" className="flex min-h-11 shrink-0 flex-wrap items-center gap-1.5 border-t border-line bg-raised px-3 py-1">
      <span role="status" className="font-medium max-md:flex-1">{said}</span>
      {hasMore && !isAllMatching && ids.size >= loaded ? <Button look="quiet" size="small" className="text-accent" onClick={selection.pickMatching}>Select all that match</Button> : null}
      {mayAct ? <Deeds onAct={onAct} /> : null}
      <Button look="quiet" size="small" className="md:ml-auto" onClick={selection.clear}><X aria-hidden="true" className="size-3.5" />Clear</Button>
    </div>
  )
}

function Deeds({ onAct }: Pick<SelectionBarProps, 'onAct'>) {
  return (
    <div className="flex items-center gap-1.5 max-md:order-1 max-md:w-full">
      <span className="mx-1 h-5 w-px bg-line max-md:hidden" />
      <Button size="small" onClick={() => onAct('pause')}><Pause aria-hidden="true" className="size-3.5" />Pause</Button>
      <Button size="small" onClick={() => onAct('resume')}><Play aria-hidden="true" className="size-3.5" />Resume</Button>
      <Button size="small" onClick={() => onAct('retry')}><RotateCcw aria-hidden="true" className="size-3.5" />Retry</Button>
      <Button size="small" look="danger" className="ml-4 max-md:ml-auto" onClick={() => onAct('stop')}><CircleStop aria-hidden="true" className="size-3.5" />Stop</Button>
    </div>
  )
}
