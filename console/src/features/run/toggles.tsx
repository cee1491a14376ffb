/** How a view shows its rows: which attempt, which times, wrapped or not. */
import { Clock, WrapText } from 'lucide-react'
import type { Run } from '@/lib/words'

interface TogglesProps {
  readonly view: string
  readonly run: Run
  readonly attempt: number | null
  readonly onAttempt: (attempt: number | null) => void
  readonly isWrapped: boolean
  readonly onWrap: (isWrapped: boolean) => void
  readonly isClock: boolean
  readonly onClock: (isClock: boolean) => void
}

export function Toggles({ view, run, attempt, onAttempt, isWrapped, onWrap, isClock, onClock }: TogglesProps) {
  return (
    <>
      {run.attempt > 1 ? (
        <select aria-label="Attempt" className="min-h-7 rounded-md bg-transparent px-1 text-muted hover:bg-hover" value={attempt ?? ''} onChange={(event) => onAttempt(event.target.value === '' ? null : Number(event.target.value))}>
          <option value="">All attempts</option>
          {Array.from({ length: run.attempt }, (_, at) => <option key={at} value={at + 1}>Attempt {at + 1}</option>)}
        </select>
      ) : null}
      {view === 'raw' ? null : <Toggle isOn={isClock} label={isClock ? 'Clock time' : 'Since start'} title="Times from the start, or by the clock (t)" onPress={() => onClock(!isClock)}><Clock aria-hidden="true" className="size-3.5" /></Toggle>}
      {view === 'terminal' ? <Toggle isOn={isWrapped} label="Wrap" title="Wrap long lines (w)" onPress={() => onWrap(!isWrapped)}><WrapText aria-hidden="true" className="size-3.5" /></Toggle> : null}
    </>
  )
}

function Toggle({ isOn, label, title, onPress, children }: { readonly isOn: boolean; readonly label: string; readonly title: string; readonly onPress: () => void; readonly children: React.ReactNode }) {
  return (
    <button type="button" aria-pressed={isOn} title={title} onClick={onPress} className={`flex min-h-7 items-center gap-1.5 rounded-md px-2 font-medium hover:bg-hover ${isOn ? 'bg-selected text-ink' : 'text-muted'}`}>
      {children}<span className="hidden sm:inline">{label}</span><span className="sr-only sm:hidden">{label}</span>
    </button>
  )
}
