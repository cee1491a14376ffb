/**
 * A run's events as a person reads them: turns with what was done in them, calls with their results, repeats once.
 *
 * Made event by event, so that a burst costs what came and not what is there. Where rows changed other than at the end
 * (`Timeline.generation`), everything is made anew.
 */
import { callId, field, isFailure, kindOf, type Kind, linesOf, numbers, type Payload, payloadOf, textOf } from './event-words'
import { tokens } from './format'
import type { RunEvent } from './run-source'
import type { Timeline } from './timeline'

/** One row: the event that leads it and those that are told with it. */
export interface Entry {
  readonly seq: number
  readonly event: RunEvent
  readonly kind: Kind
  /** The turn, call or span inside of which it is. */
  readonly parent: Entry | null
  readonly depth: number
  /** The result of a call, the end of a span or a turn. */
  end: RunEvent | null
  /** What was said of it meanwhile, in order. */
  readonly parts: RunEvent[]
  /** Further events that say the same. */
  readonly repeats: RunEvent[]
  /** Rows inside of it. */
  inside: number
  /** What a turn used. */
  tokens: number
  usd: number | null
  isProblem: boolean
}

const DEEPEST = 6

/** Types that say little and are shown on demand only. */
export const QUIET: ReadonlySet<string> = new Set(['message.delta', 'raw', 'usage', 'cost', 'run.claimed'])

/** What a person chose to see: types that are hidden, rows that are folded, and one attempt (null: all). */
export interface Shown {
  readonly hidden: ReadonlySet<string>
  readonly folded: ReadonlySet<number>
  readonly attempt: number | null
}

/** What was shown the last time, and how much of the story it was made of. */
interface Seen {
  readonly entries: readonly Entry[]
  readonly read: number
  readonly shown: Shown
  readonly rows: readonly Entry[]
}

export class Story {
  #entries: Entry[] = []
  #read = 0
  #generation = -1
  #turn: Entry | null = null
  #open = new Map<string, Entry>()
  #inputs = new Map<string, Entry>()
  #owners = new Map<number, Entry>()
  #counts = new Map<string, number>()
  #seen: Seen | null = null

  /** Take what the timeline has more than the last time. */
  update(timeline: Timeline<RunEvent>): void {
    const { rows, generation } = timeline
    if (generation !== this.#generation) this.#clear(generation)
    for (; this.#read < rows.length; this.#read++) this.#take(rows[this.#read] as RunEvent)
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** How many events of each type there are. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** The row that an event is told in. */
  owner(seq: number): Entry | undefined {
    const owner = this.#owners.get(seq)
    if (owner) return owner
    const at = indexOf(this.#entries, seq)
    return at < 0 ? undefined : this.#entries[at]
  }

  /** The rows that a person chose to see; a new list where there are more, made of the one before and what came since. */
  shown(shown: Shown): readonly Entry[] {
    const from = this.#seen && this.#seen.entries === this.#entries && isSameChoice(this.#seen.shown, shown) ? this.#seen : null
    const fresh: Entry[] = []
    for (let at = from?.read ?? 0; at < this.#entries.length; at++) {
      const entry = this.#entries[at] as Entry
      if (isShown(entry, shown)) fresh.push(entry)
    }
    // The same rows in a new list, since what is told in them may have changed.
    const rows = (from?.rows ?? []).concat(fresh)
    this.#seen = { entries: this.#entries, read: this.#entries.length, shown, rows }
    return rows
  }

  #clear(generation: number): void {
    this.#entries = []
    this.#read = 0
    this.#generation = generation
    this.#turn = null
    for (const each of [this.#open, this.#inputs, this.#owners, this.#counts]) each.clear()
  }

  #take(event: RunEvent): void {
    this.#counts.set(event.type, (this.#counts.get(event.type) ?? 0) + 1)
    const payload = payloadOf(event)
    const owner = this.#ownerOf(event, payload)
    if (owner) this.#owners.set(event.seq, owner)
    else if (!this.#repeats(event)) this.#add(event, payload)
  }

  /** The row that this event belongs to, which takes it in; null where it is a row of its own. */
  #ownerOf(event: RunEvent, payload: Payload): Entry | null {
    switch (event.type) {
      case 'tool.result': return this.#close(`tool ${callId(payload) ?? ''}`, event)
      case 'span.end': return this.#close(`span ${field(payload, 'spanId', 'span_id', 'id') ?? ''}`, event)
      case 'turn.finished': return this.#finish(event)
      case 'tool.output': return this.#part(this.#open.get(`tool ${callId(payload) ?? ''}`), event)
      case 'decision.resolved': return this.#part(this.#open.get(`tool ${callId(payload) ?? ''}`), event)
      case 'input.delivered': return this.#part(this.#inputs.get(field(payload, 'id') ?? ''), event)
      case 'usage': case 'cost': return this.#used(event, payload)
      default: return null
    }
  }

  #close(key: string, event: RunEvent): Entry | null {
    const entry = this.#open.get(key)
    if (!entry) return null
    this.#open.delete(key)
    entry.end = event
    if (isFailure(event)) entry.isProblem = true
    return entry
  }

  #finish(event: RunEvent): Entry | null {
    const turn = this.#turn
    if (turn) turn.end = event
    this.#turn = null
    return turn
  }

  #part(entry: Entry | undefined, event: RunEvent): Entry | null {
    entry?.parts.push(event)
    return entry ?? null
  }

  #used(event: RunEvent, payload: Payload): Entry | null {
    const turn = this.#turn
    if (!turn) return null
    if (event.type === 'usage') turn.tokens += tokens(numbers(payload))
    else if (typeof payload['usd'] === 'number') turn.usd = (turn.usd ?? 0) + payload['usd']
    turn.parts.push(event)
    return turn
  }

  #repeats(event: RunEvent): boolean {
    const last = this.#entries.at(-1)
    if (!last || last.event.type !== event.type || last.event.level !== event.level || last.event.attempt !== event.attempt || last.parts.length > 0) return false
    if (event.type === 'turn.started' || event.type === 'tool.called' || event.type === 'span.start' || !saysSame(last.event, event)) return false
    last.repeats.push(event)
    this.#owners.set(event.seq, last)
    return true
  }

  #add(event: RunEvent, payload: Payload): void {
    if (event.type === 'turn.started') this.#turn = null
    const parent = this.#parentOf(payload)
    const entry: Entry = {
      seq: event.seq, event, kind: kindOf(event.type), parent, depth: parent ? Math.min(parent.depth + 1, DEEPEST) : 0,
      end: null, parts: [], repeats: [], inside: 0, tokens: 0, usd: null, isProblem: event.level === 'error' || isFailedEnd(event),
    }
    for (let above = parent; above; above = above.parent) above.inside++
    this.#entries.push(entry)
    this.#begin(entry, payload)
  }

  #begin(entry: Entry, payload: Payload): void {
    if (entry.event.type === 'turn.started') this.#turn = entry
    else if (entry.event.type === 'tool.called') this.#open.set(`tool ${callId(payload) ?? ''}`, entry)
    else if (entry.event.type === 'span.start') this.#open.set(`span ${field(payload, 'spanId', 'span_id', 'id') ?? ''}`, entry)
    else if (entry.event.type === 'input.received') this.#inputs.set(field(payload, 'id') ?? '', entry)
    // What ends a run ends its turn.
    else if (entry.kind === 'run' && entry.event.type !== 'session.started') this.#turn = null
  }

  #parentOf(payload: Payload): Entry | null {
    const call = field(payload, 'parent_call_id', 'parentCallId')
    const span = field(payload, 'parentSpanId', 'parent_span_id')
    return (call === null ? undefined : this.#open.get(`tool ${call}`)) ?? (span === null ? undefined : this.#open.get(`span ${span}`)) ?? this.#turn
  }
}

/** Where the row of a `seq` stands among rows in order; the one before it where it has none; -1 before all. */
export function placeOf(entries: readonly Entry[], seq: number): number {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.seq ?? Infinity) <= seq) low = middle + 1
    else high = middle
  }
  return low - 1
}

function indexOf(entries: readonly Entry[], seq: number): number {
  const at = placeOf(entries, seq)
  return entries[at]?.seq === seq ? at : -1
}

function isSameChoice(a: Shown, b: Shown): boolean {
  return a.hidden === b.hidden && a.folded === b.folded && a.attempt === b.attempt
}

function isShown(entry: Entry, { hidden, folded, attempt }: Shown): boolean {
  return !hidden.has(entry.event.type) && (attempt === null || entry.event.attempt === attempt) && !isFolded(entry, folded)
}

function isFolded(entry: Entry, folded: ReadonlySet<number>): boolean {
  if (folded.size === 0) return false
  for (let above = entry.parent; above; above = above.parent) if (folded.has(above.seq)) return true
  return false
}

function isFailedEnd(event: RunEvent): boolean {
  return event.type === 'run.failed' || event.type === 'run.lost' || (event.type === 'tool.result' && isFailure(event))
}

const MOST_COMPARED = 400

function saysSame(a: RunEvent, b: RunEvent): boolean {
  if (a.type !== 'log') return textOf(a) === textOf(b)
  const [before, now] = [linesOf(a), linesOf(b)]
  return before.length === now.length && before.length <= 4 && before.every((line, at) => line.length < MOST_COMPARED && line === now[at])
}
