/** Everything about one row: what it says, what came of it, and the events as they are. */
import { Link, X } from 'lucide-react'
import { useState } from 'react'
import { plain } from '@/lib/ansi'
import { field, isFailure, linesOf, payloadOf, titleOf } from '@/lib/event-words'
import { clock, duration } from '@/lib/format'
import type { RunEvent } from '@/lib/run-source'
import type { Entry } from '@/lib/story'
import { CopyButton } from '@/ui/copy'
import { JsonTree } from '@/ui/json-tree'
import { KindIcon } from './icons'
import { LongLines, LongText } from './long-text'

interface InspectorProps {
  readonly entry: Entry
  readonly mark: string
  readonly now: number
  readonly onClose: () => void
  readonly onCopyLink: () => void
}

export function Inspector({ entry, mark, now, onClose, onCopyLink }: InspectorProps) {
  const { event, end } = entry
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-10 items-center gap-2 border-b border-line-soft py-1 pr-2 pl-3">
        <KindIcon kind={entry.kind} isProblem={entry.isProblem} />
        <h2 className="min-w-0 flex-1 truncate font-semibold">{titleOf(event)}</h2>
        <CopyButton text={pretty(event.payload)} label="Copy payload (y)" />
        <IconButton label="Copy link to this event (Shift+y)" onPress={onCopyLink}><Link aria-hidden="true" className="size-3.5" /></IconButton>
        <IconButton label="Close the inspector (Esc)" onPress={onClose}><X aria-hidden="true" className="size-4" /></IconButton>
      </header>
      <div className="min-h-0 flex-1 overflow-auto p-3" tabIndex={0} role="region" aria-label="Event">
        <Facts entry={entry} now={now} />
        <Body event={event} mark={mark} />
        {entry.parts.filter((each) => each.type === 'tool.output' || each.type.startsWith('decision.')).map((each) => <Section key={each.seq} title={titleOf(each)}><Body event={each} mark={mark} isBare /></Section>)}
        {end ? <Section title={end.type === 'tool.result' ? (isFailure(end) ? 'Result: failed' : 'Result') : 'End'} isBad={isFailure(end)} copy={pretty(end.payload)}><Body event={end} mark={mark} isBare /></Section> : null}
        <Payloads events={[event, ...entry.parts, ...(end ? [end] : [])]} />
      </div>
    </div>
  )
}

function IconButton({ label, onPress, children }: { readonly label: string; readonly onPress: () => void; readonly children: React.ReactNode }) {
  return <button type="button" aria-label={label} title={label} onClick={onPress} className="grid size-7 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink">{children}</button>
}

function Facts({ entry, now }: { readonly entry: Entry; readonly now: number }) {
  const { event, end, repeats } = entry
  const at = Date.parse(event.ts)
  const facts: (readonly [string, string])[] = [
    ['Event', end ? `${event.seq} to ${end.seq}` : String(event.seq)],
    ['Time', clock(at, now)],
    ...(end ? [['Took', duration(Date.parse(end.ts) - at)] as const] : []),
    ...(repeats.length > 0 ? [['Said', `${repeats.length + 1} times, last at ${clock(Date.parse(repeats.at(-1)?.ts ?? event.ts), now)}`] as const] : []),
    ['Type', plain(event.type)],
    ...(event.level === 'info' ? [] : [['Level', plain(event.level)] as const]),
    ...(event.attempt > 1 ? [['Attempt', String(event.attempt)] as const] : []),
    ...(event.late ? [['Late', 'It came after its attempt had ended.'] as const] : []),
  ]
  return (
    <dl className="mb-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 text-xs">
      {facts.map(([name, value]) => <div key={name} className="contents"><dt className="text-muted">{name}</dt><dd title={name === 'Time' ? event.ts : undefined}>{value}</dd></div>)}
    </dl>
  )
}

interface SectionProps {
  readonly title: string
  readonly isBad?: boolean
  readonly copy?: string
  readonly children: React.ReactNode
}

function Section({ title, isBad = false, copy, children }: SectionProps) {
  return (
    <section className="mt-4">
      <div className="mb-1 flex min-h-7 items-center gap-2"><h3 className={`flex-1 text-xs font-semibold ${isBad ? 'text-bad' : 'text-muted'}`}>{title}</h3>{copy === undefined ? null : <CopyButton text={copy} label={`Copy: ${title}`} />}</div>
      {children}
    </section>
  )
}

function Body({ event, mark, isBare = false }: { readonly event: RunEvent; readonly mark: string; readonly isBare?: boolean }) {
  const payload = payloadOf(event)
  if (event.type === 'log' || event.type === 'raw') return <LongLines lines={linesOf(event)} mark={mark} />
  if (event.type === 'tool.called') return <Section title="Input" copy={pretty(payload['input'])}><Tree value={payload['input'] ?? payload} /></Section>
  const text = field(payload, ...(event.type.startsWith('tool.') ? ['output', 'result', 'content', 'text'] : ['text', 'message']))
  if (text !== null) return event.type.startsWith('tool.') ? <LongLines lines={text.split('\n')} mark={mark} /> : <LongText text={text} mark={mark} />
  return isBare ? <Tree value={payload} /> : null
}

/** The events as the server has them, each made into a tree only once it is opened. */
function Payloads({ events }: { readonly events: readonly RunEvent[] }) {
  const [isOpen, setOpen] = useState(events.length === 1)
  return (
    <section className="mt-4 border-t border-line-soft pt-2">
      <button type="button" aria-expanded={isOpen} className="min-h-7 text-xs font-semibold text-muted hover:text-ink" onClick={() => setOpen(!isOpen)}>{isOpen ? '▾' : '▸'} {events.length === 1 ? 'Payload' : `Payloads of ${events.length} events`}</button>
      {isOpen ? events.slice(0, 50).map((each) => (
        <div key={each.seq} className="mt-1">
          {events.length > 1 ? <p className="text-xs text-muted">{plain(each.type)}, event {each.seq}</p> : null}
          <Tree value={each.payload} />
        </div>
      )) : null}
    </section>
  )
}

function Tree({ value }: { readonly value: unknown }) {
  return <div className="text-xs leading-5"><JsonTree value={value} /></div>
}

/** A value as it is copied. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? ''
}
