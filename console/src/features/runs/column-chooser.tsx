/** Which columns there are, kept in this browser. */
import { Columns3 } from 'lucide-react'
import { Button } from '@/ui/button'
import { Popover } from '@/ui/popover'
import { usePref } from '@/ui/pref'
import { chosenColumns, COLUMNS, FIXED, timeStyle } from './columns'

export function ColumnChooser() {
  return <Popover align="right" label={<><Columns3 aria-hidden="true" className="size-4" /><span className="max-sm:sr-only">Columns</span></>}><Choices /></Popover>
}

function Choices() {
  const [chosen, setChosen] = usePref(chosenColumns)
  const [times, setTimes] = usePref(timeStyle)
  const toggle = (key: string) => setChosen(chosen.includes(key) ? chosen.filter((each) => each !== key) : [...chosen, key])
  return (
    <>
      <fieldset>
        <legend className="px-2 py-1 text-xs font-semibold text-muted">Columns</legend>
        {COLUMNS.map(({ key, title }) => (
          <label key={key} className="flex min-h-7 items-center gap-2 rounded-md px-2 hover:bg-hover">
            <input type="checkbox" className="size-3.5 accent-accent" disabled={FIXED.includes(key)} checked={FIXED.includes(key) || chosen.includes(key)} onChange={() => toggle(key)} />{title}
          </label>
        ))}
      </fieldset>
      <label className="mt-1 flex min-h-8 items-center gap-2 border-t border-line-soft px-2">
        <input type="checkbox" className="size-3.5 accent-accent" checked={times === 'absolute'} onChange={(event) => setTimes(event.target.checked ? 'absolute' : 'relative')} />Times by the clock
      </label>
      <Button look="quiet" size="small" onClick={() => setChosen(chosenColumns.initial)}>As it was at first</Button>
    </>
  )
}
