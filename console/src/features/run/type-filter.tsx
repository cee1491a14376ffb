/** Which types of events are shown, with how many there are of each; what is hidden is always said. */
import { ListFilter } from 'lucide-react'
import { visible } from '@/lib/ansi'
import { Popover } from '@/ui/popover'

interface TypeFilterProps {
  readonly counts: ReadonlyMap<string, number>
  readonly hidden: ReadonlySet<string>
  readonly onHide: (hidden: ReadonlySet<string>) => void
}

export function TypeFilter({ counts, hidden, onHide }: TypeFilterProps) {
  const left = [...counts].reduce((sum, [type, number]) => (hidden.has(type) ? sum + number : sum), 0)
  const types = [...counts].sort(([a], [b]) => a.localeCompare(b))
  const toggle = (type: string) => {
    const next = new Set(hidden)
    if (!next.delete(type)) next.add(type)
    onHide(next)
  }
  const label = <><ListFilter aria-hidden="true" className="size-3.5" /><span className="sr-only sm:not-sr-only">Types</span>{left > 0 ? <span className="text-muted">{left.toLocaleString('en-US')} hidden</span> : null}</>
  return (
    <Popover label={label} look="quiet" align="right">
      <div className="flex gap-1 border-b border-line-soft pb-1">
        <button type="button" className="min-h-7 flex-1 rounded px-2 text-left text-accent hover:bg-hover" onClick={() => onHide(new Set())}>Show all</button>
        <button type="button" className="min-h-7 rounded px-2 text-accent hover:bg-hover" onClick={() => onHide(new Set(counts.keys()))}>Hide all</button>
      </div>
      {types.map(([type, number]) => (
        <label key={type} className="flex min-h-7 cursor-pointer items-center gap-2 rounded px-2 hover:bg-hover">
          <input type="checkbox" className="size-3.5 accent-(--accent)" checked={!hidden.has(type)} onChange={() => toggle(type)} />
          <span className="min-w-0 flex-1 truncate">{visible(type)}</span>
          <span className="text-muted">{number.toLocaleString('en-US')}</span>
        </label>
      ))}
    </Popover>
  )
}
