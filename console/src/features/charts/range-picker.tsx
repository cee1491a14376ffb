/** Chooses the time that figures are of; the address keeps it. */
import { X } from 'lucide-react'
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react'
import { Button } from '@/ui/button'
import { useCommands } from '@/ui/commands'
import { Dialog } from '@/ui/dialog'
import { between, PRESETS, type Range, words } from './range'

interface RangePickerProps {
  readonly range: Range
  readonly onRange: (range: Range) => void
  /** Back to what was before a stretch was marked. */
  readonly onReset: () => void
}

export function RangePicker({ range, onRange, onReset }: RangePickerProps) {
  const [isOpen, setOpen] = useState(false)
  // Commands keep their identity, whoever listens now.
  const latest = useRef(onRange)
  useEffect(() => { latest.current = onRange })
  useCommands(useMemo(() => PRESETS.map(({ since, words: name }, at) => ({
    id: `range-${since}`, title: `Show what ended ${name}`, group: 'Time', keys: String(at + 1), run: () => latest.current({ since }),
  })), []))
  const isPreset = range.until === undefined && PRESETS.some((each) => each.since === range.since)
  return (
    <div className="flex flex-wrap items-center gap-2">
      {isPreset ? null : (
        <button type="button" className="inline-flex min-h-7 items-center gap-1.5 rounded border border-accent px-2 text-xs text-accent" onClick={onReset}>
          {words(range)}<X aria-label="Remove" className="size-3.5" />
        </button>
      )}
      <div role="group" aria-label="Time range" className="flex overflow-hidden rounded border border-line">
        {PRESETS.map(({ since, label, words: name }) => (
          <button
            key={since} type="button" aria-pressed={isPreset && since === range.since} title={`Runs that ended ${name}`}
            className="min-h-7 border-r border-line px-2 text-xs text-muted -outline-offset-2 hover:text-ink sm:px-2.5 aria-pressed:bg-raised aria-pressed:font-semibold aria-pressed:text-ink"
            onClick={() => onRange({ since })}
          >
            {label}
          </button>
        ))}
        <button type="button" className="min-h-7 px-2 text-xs text-muted -outline-offset-2 hover:text-ink sm:px-2.5" onClick={() => setOpen(true)}>Other…</button>
      </div>
      <Dialog title="Time range" isOpen={isOpen} onClose={() => setOpen(false)}>
        <Other range={range} onRange={(chosen) => { setOpen(false); onRange(chosen) }} />
      </Dialog>
    </div>
  )
}

function Other({ range, onRange }: { readonly range: Range; readonly onRange: (range: Range) => void }) {
  const [from, setFrom] = useState(() => local(range.until === undefined ? Date.now() - 86_400_000 : Date.parse(range.since)))
  const [to, setTo] = useState(() => local(range.until === undefined ? Date.now() : Date.parse(range.until)))
  const isTurned = from !== '' && to !== '' && Date.parse(from) >= Date.parse(to)
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (!isTurned) onRange(between(Date.parse(from), Date.parse(to)))
  }
  const field = 'min-h-8 rounded border border-line bg-raised px-2'
  return (
    <form className="flex flex-col gap-3" onSubmit={send}>
      <div className="grid gap-3 sm:grid-cols-2">
        <label className="flex flex-col gap-1 text-xs text-muted">From<input required type="datetime-local" className={`${field} text-sm text-ink`} value={from} onChange={(event) => setFrom(event.target.value)} /></label>
        <label className="flex flex-col gap-1 text-xs text-muted">
          Until
          <input required type="datetime-local" aria-invalid={isTurned} aria-describedby="range-problem" className={`${field} text-sm text-ink`} value={to} onChange={(event) => setTo(event.target.value)} />
        </label>
      </div>
      <p id="range-problem" role="status" className="text-xs text-bad empty:hidden">{isTurned ? 'It has to end behind its beginning.' : null}</p>
      <p className="text-xs text-muted">In the zone of this browser. Figures begin and end with whole minutes, hours or days, whichever the time is shown in.</p>
      <Button type="submit" look="primary" className="self-start" disabled={isTurned}>Show</Button>
    </form>
  )
}

// What the browser's field takes: local, to the minute.
function local(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
