/** One row of the timeline: when, what, and what it took, in one line. */
import { ChevronDown, ChevronRight } from 'lucide-react'
import { isFailure, textOf, titleOf } from '@/lib/event-words'
import { sinceStart, timeOfDay } from '@/lib/event-time'
import { count, duration, money } from '@/lib/format'
import type { Entry } from '@/lib/story'
import { AnsiLine, Marked } from './ansi-line'
import { KindIcon } from './icons'

interface TimelineRowProps {
  readonly entry: Entry
  readonly isFolded: boolean
  readonly onFold: () => void
  readonly onSelect: () => void
  readonly zero: number
  readonly isClock: boolean
  readonly mark: string
  readonly now: number
  /** What still runs is shown as such only while the run does. */
  readonly isActive: boolean
  /** The longest that a row took: the measure of the bars. */
  readonly longest: number
}

export function TimelineRow({ entry, isFolded, onFold, onSelect, zero, isClock, mark, now, isActive, longest }: TimelineRowProps) {
  const { event, kind, depth, isProblem } = entry
  const at = Date.parse(event.ts)
  const isTurn = kind === 'turn'
  const title = titleOf(event)
  return (
    <div className={`flex h-full w-full items-center gap-2 pr-3 pl-2 ${isTurn ? 'bg-raised' : ''}`} onClick={onSelect}>
      <span role="gridcell" className="hidden w-[4.5rem] shrink-0 text-right font-mono text-xs text-muted sm:block" title={`${event.ts} · event ${event.seq}`}>{isClock ? timeOfDay(at) : sinceStart(at - zero)}</span>
      <span role="gridcell" className={`flex w-32 shrink-0 items-center gap-1.5 sm:w-44 ${isTurn ? 'font-semibold' : ''}`} style={{ paddingLeft: (depth - (isInTurn(entry) ? 1 : 0)) * 16 }}>
        {entry.inside > 0 ? <FoldButton isFolded={isFolded} title={title} onFold={onFold} /> : <span className="w-4 shrink-0" />}
        <KindIcon kind={kind} isProblem={isProblem} />
        <span className={`truncate ${isProblem ? 'text-bad' : ''}`}><Marked text={isTurn ? `${title} ${textOf(event)}` : title} mark={mark} /></span>
      </span>
      <span role="gridcell" className={`min-w-0 flex-1 truncate ${isCode(kind) ? 'font-mono text-xs' : ''} ${isTurn || kind === 'thinking' ? 'text-muted' : ''}`}>
        <RowText entry={entry} mark={mark} />
      </span>
      <Extras entry={entry} at={at} now={now} isActive={isActive} longest={longest} />
    </div>
  )
}

// A turn's rows stand in line with it: its grey row groups them already.
function isInTurn(entry: Entry): boolean {
  let above = entry.parent
  while (above?.parent) above = above.parent
  return above?.kind === 'turn'
}

const isCode = (kind: Entry['kind']) => kind === 'log' || kind === 'tool'

function FoldButton({ isFolded, title, onFold }: { readonly isFolded: boolean; readonly title: string; readonly onFold: () => void }) {
  const Icon = isFolded ? ChevronRight : ChevronDown
  return (
    <button
      type="button" tabIndex={-1} aria-expanded={!isFolded} aria-label={`${isFolded ? 'Unfold' : 'Fold'} ${title}`} className="-mx-1 grid size-6 shrink-0 place-items-center rounded text-muted hover:bg-hover hover:text-ink"
      onClick={(event) => { event.stopPropagation(); onFold() }}
    >
      <Icon aria-hidden="true" className="size-3.5" />
    </button>
  )
}

function RowText({ entry, mark }: { readonly entry: Entry; readonly mark: string }) {
  const { event, kind, end } = entry
  if (kind === 'turn') return `${entry.inside} ${entry.inside === 1 ? 'step' : 'steps'}`
  if (kind === 'log') return <LogText entry={entry} mark={mark} />
  const failure = end && isFailure(end) ? textOf(end) : ''
  return (
    <>
      <Marked text={textOf(event)} mark={mark} />
      {failure ? <span className="text-bad">  →  <Marked text={failure} mark={mark} /></span> : null}
    </>
  )
}

function LogText({ entry, mark }: { readonly entry: Entry; readonly mark: string }) {
  const payload = entry.event.payload as { lines?: unknown; line?: unknown }
  const lines = Array.isArray(payload.lines) ? payload.lines : [payload.line ?? '']
  return (
    <>
      <AnsiLine text={String(lines[0] ?? '').slice(0, 400)} mark={mark} />
      {lines.length > 1 ? <span className="text-muted"> +{lines.length - 1} {lines.length === 2 ? 'line' : 'lines'}</span> : null}
    </>
  )
}

interface ExtrasProps {
  readonly entry: Entry
  readonly at: number
  readonly now: number
  readonly isActive: boolean
  readonly longest: number
}

function Extras({ entry, at, now, isActive, longest }: ExtrasProps) {
  const { repeats, end, kind, tokens, usd } = entry
  const isOpen = isActive && end === null && (kind === 'tool' || kind === 'span')
  const took = end ? Date.parse(end.ts) - at : isOpen ? now - at : null
  return (
    <span role="gridcell" className="flex shrink-0 items-center gap-3 text-xs text-muted">
      {repeats.length > 0 ? <span className="rounded bg-sunken px-1.5 font-medium" title={`Said ${repeats.length + 1} times in a row`}>×{repeats.length + 1}</span> : null}
      {tokens > 0 ? <span className="hidden sm:inline" title="Tokens">{count(tokens)} tok</span> : null}
      {usd === null ? null : <span className="hidden sm:inline">{money(usd)}</span>}
      {took === null ? null : (
        <span className="flex items-center justify-end gap-2">
          {kind === 'turn' ? null : <span aria-hidden="true" className="hidden h-1 w-14 overflow-hidden rounded-full bg-sunken lg:block"><span className={`block h-full rounded-full ${entry.isProblem ? 'bg-bad' : 'bg-active'}`} style={{ width: `${Math.max(4, Math.min(100, (took / Math.max(1, longest)) * 100))}%` }} /></span>}
          <span className={`w-16 text-right ${isOpen ? 'text-active' : ''}`}>{duration(Math.max(0, took))}{isOpen ? ' …' : ''}</span>
        </span>
      )}
    </span>
  )
}
