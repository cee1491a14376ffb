/**
 * Runs on the one stream of a browser, as its leader sees them: who watches what, and what the stream said of each.
 *
 * The stream is opened anew, a moment after, when the runs that are watched change; each goes on where it was.
 */
import type { Frame } from './sse'

/** Which runs a tab watches, each with the last event that it has: all of them, every time. */
export interface Wish {
  readonly tab: string
  readonly runs: readonly (readonly [id: number, after: number])[]
}

/** What the leader tells of runs; `watching` names every run on the stream with the event behind which it goes on. */
export type RunTold =
  | { readonly kind: 'ask' | 'beat' | 'down' }
  | { readonly kind: 'watching'; readonly runs: readonly (readonly [id: number, cursor: number])[] }
  | { readonly kind: 'frames'; readonly id: number; readonly frames: readonly Frame[] }

/** As many as the server takes; a run beyond has its tab's own stream. */
export const MOST = 16
/** A tab that said nothing for so long is gone. */
export const FORGET_MS = 45_000
const ADD_MS = 50
const DROP_MS = 2_000
const BEAT_MS = 5_000

interface Data {
  readonly run_id?: number
  readonly seq?: number
  readonly last_seq?: number
  readonly pruned_before?: number
  readonly run?: unknown
}

/** How the server begins every event: what is needed of it without reading the rest. */
const EVENT = /^\{"id":\s?\d+,\s?"run_id":\s?(\d+),\s?"seq":\s?(\d+),/

function dataOf({ event, data }: Frame): Data {
  if (event === 'run') return {}
  const found = event === 'event' ? EVENT.exec(data) : null
  return found ? { run_id: Number(found[1]), seq: Number(found[2]) } : (JSON.parse(data) as Data)
}

export class RunTopics {
  readonly #wishes = new Map<string, { readonly runs: ReadonlyMap<number, number>; readonly at: number }>()
  /** The runs on the stream, with the last event that was told. */
  #cursors = new Map<number, number>()
  #isOpen = false
  #beatAt = 0
  #due = Infinity
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `reopen` has the stream opened anew. */
  constructor(
    private readonly say: (told: RunTold) => void,
    private readonly reopen: () => void,
  ) {}

  stop(): void {
    clearTimeout(this.#timer)
  }

  wish({ tab, runs }: Wish): void {
    const before = this.#wishes.get(tab)?.runs
    if (runs.length === 0) this.#wishes.delete(tab)
    else this.#wishes.set(tab, { runs: new Map(runs), at: Date.now() })
    const wanted = this.#wanted()
    const isRoom = [...this.#cursors.keys()].filter((id) => wanted.has(id)).length < MOST
    if (isRoom && [...wanted.keys()].some((id) => !this.#cursors.has(id))) this.#soon(ADD_MS)
    else if ([...this.#cursors.keys()].some((id) => !wanted.has(id))) this.#soon(DROP_MS)
    if (this.#isOpen && runs.some(([id]) => !before?.has(id) && this.#cursors.has(id))) this.#tellWatching()
  }

  /** A stream is opened: the topics of its runs. */
  open(): string[] {
    clearTimeout(this.#timer)
    this.#due = Infinity
    this.#isOpen = false
    const wanted = this.#wanted()
    const kept = [...this.#cursors].filter(([id]) => wanted.has(id))
    const added = [...wanted].filter(([id]) => !this.#cursors.has(id))
    this.#cursors = new Map([...kept, ...added].slice(0, MOST))
    return [...this.#cursors].map(([id, cursor]) => `run:${id}@${cursor}`)
  }

  /** Take what the stream brought; answers what is not of a run. */
  came(frames: readonly Frame[]): readonly Frame[] {
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#tellWatching()
    }
    const others: Frame[] = []
    const ofRuns = new Map<number, Frame[]>()
    for (const frame of frames) {
      const data = dataOf(frame)
      if (data.run_id === undefined) others.push(frame)
      else {
        const told = ofRuns.get(data.run_id) ?? []
        told.push(this.#take(data.run_id, frame, data))
        ofRuns.set(data.run_id, told)
      }
    }
    for (const [id, told] of ofRuns) this.say({ kind: 'frames', id, frames: told })
    this.#beat()
    return others
  }

  /** The stream broke. */
  down(): void {
    this.#isOpen = false
    this.say({ kind: 'down' })
  }

  /** The frame as a run's own stream has it. */
  #take(id: number, frame: Frame, data: Data): Frame {
    const cursor = this.#cursors.get(id)
    const reached = data.seq ?? (data.pruned_before === undefined ? data.last_seq : data.pruned_before - 1)
    if (frame.event === 'end' || frame.event === 'gone') this.#cursors.delete(id)
    else if (cursor !== undefined && reached !== undefined) this.#cursors.set(id, frame.event === 'resync' ? reached : Math.max(cursor, reached))
    if (frame.event === 'event') return { ...frame, id: String(data.seq) }
    return frame.event === 'end' ? { ...frame, data: JSON.stringify(data.run) } : frame
  }

  /** The runs that tabs watch, each from the least that one of them has. */
  #wanted(): Map<number, number> {
    const wanted = new Map<number, number>()
    for (const [tab, { runs, at }] of this.#wishes) {
      if (Date.now() - at > FORGET_MS) this.#wishes.delete(tab)
      else for (const [id, after] of runs) wanted.set(id, Math.min(after, wanted.get(id) ?? Infinity))
    }
    return wanted
  }

  #soon(ms: number): void {
    const due = Date.now() + ms
    if (due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => {
      this.#due = Infinity
      this.reopen()
    }, ms)
  }

  #tellWatching(): void {
    this.say({ kind: 'watching', runs: [...this.#cursors] })
  }

  #beat(): void {
    if (Date.now() - this.#beatAt < BEAT_MS) return
    this.#beatAt = Date.now()
    this.say({ kind: 'beat' })
  }
}
