/** Where in the timeline the problems and the questions are; a press goes there. */
import { titleOf } from '@/lib/event-words'
import type { Entry } from '@/lib/story'

/** More marks than this cannot be told apart. */
const SLOTS = 200

interface MinimapProps {
  readonly entries: readonly Entry[]
  readonly onGo: (seq: number) => void
}

export function Minimap({ entries, onGo }: MinimapProps) {
  const marks = new Map<number, Entry>()
  entries.forEach((entry, at) => {
    if (!isMarked(entry)) return
    const slot = Math.floor((at / entries.length) * SLOTS)
    if (!marks.has(slot) || entry.isProblem) marks.set(slot, entry)
  })
  if (marks.size === 0) return null
  return (
    <div aria-hidden="true" className="absolute inset-y-0 right-0 w-2.5">
      {[...marks].map(([slot, entry]) => (
        <span
          key={slot} title={`${titleOf(entry.event)}, event ${entry.seq}`} onClick={() => onGo(entry.seq)}
          className={`absolute right-0.5 h-1 w-1.5 cursor-pointer rounded-sm ${entry.isProblem ? 'bg-bad' : 'bg-attention'}`} style={{ top: `${(slot / SLOTS) * 100}%` }}
        />
      ))}
    </div>
  )
}

/** Whether a row is worth to be found from afar. */
export function isMarked(entry: Entry): boolean {
  return entry.isProblem || entry.event.level === 'warning' || entry.kind === 'decision'
}
