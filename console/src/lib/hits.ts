/** Where a text stands among the events that are held; made event by event as `Story` is. */
import { linesOf, payloadOf } from './event-words'
import type { RunEvent } from './run-source'
import type { Timeline } from './timeline'

export class Hits {
  #seqs: number[] = []
  #read = 0
  #generation = -1

  /** `text` is compared without case; an empty one is found nowhere. */
  constructor(readonly text: string) {}

  update(timeline: Timeline<RunEvent>): void {
    if (this.text === '') return
    const { rows, generation } = timeline
    if (generation !== this.#generation) {
      this.#seqs = []
      this.#read = 0
      this.#generation = generation
    }
    for (; this.#read < rows.length; this.#read++) {
      const event = rows[this.#read] as RunEvent
      if (readOf(event).toLowerCase().includes(this.text)) this.#seqs.push(event.seq)
    }
  }

  /** The events in which it stands, in order. */
  get seqs(): readonly number[] {
    return this.#seqs
  }
}

/** Everything of an event that a person reads. */
function readOf(event: RunEvent): string {
  if (event.type === 'log' || event.type === 'raw') return linesOf(event).join('\n')
  return `${event.type} ${values(payloadOf(event))}`
}

function values(value: unknown): string {
  if (Array.isArray(value)) return value.map(values).join(' ')
  if (typeof value === 'object' && value !== null) return Object.values(value).map(values).join(' ')
  return String(value)
}

/** The one of `seqs` next to `from`, forwards or backwards, beginning again at the other end; null where there is none. */
export function nextOf(seqs: readonly number[], from: number | null, isForward: boolean): number | null {
  if (seqs.length === 0) return null
  if (from === null) return (isForward ? seqs[0] : seqs.at(-1)) ?? null
  const next = isForward ? seqs.find((each) => each > from) : seqs.findLast((each) => each < from)
  return next ?? (isForward ? seqs[0] : seqs.at(-1)) ?? null
}
