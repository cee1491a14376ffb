/**
 * Runs that this tab watches by the browser's one stream: what the leader tells of them, as a run's own stream would.
 *
 * It promises no more than a stream does: whoever reads it pages in first, and reads pages again where it is told so
 * (`AGAIN`). A run that the leader does not bring within a moment is read by a stream of the tab's own.
 */
import type { Wish, RunTold } from './run-topics'
import type { Frame } from './sse'

/** Bytes of a stream, or frames of one that was taken apart already; none for a heartbeat. */
export type Chunk = Uint8Array | readonly Frame[]

/** Pages have to be read before anything else. */
export const AGAIN: Frame = { event: 'again', data: '', id: null }

export const WAIT_MS = 2_000
const LINGER_MS = 3_000
const TELL_MS = 15_000
const KEPT = 4_000

/** What is known of a run: every frame behind event `from`, the last `KEPT` of them held. */
class Heard {
  from: number | null = null
  to = 0
  frames: Frame[] = []
  /** The number of the first frame held. */
  base = 0
  /** Changes where what follows does not join what was before. */
  epoch = 0
  beats = 0
  readers = 0
  lingering: ReturnType<typeof setTimeout> | undefined
  /** From where pages were asked for the last time; twice from there would be in vain. */
  askedFrom = -1
  readonly waiting = new Set<() => void>()

  begin(cursor: number): void {
    this.base += this.frames.length
    this.frames = []
    this.from = this.to = cursor
    this.epoch++
  }

  end(): void {
    if (this.from !== null) this.epoch++
    this.from = null
  }

  add(frame: Frame): void {
    this.frames.push(frame)
    if (frame.id !== null) this.to = Number(frame.id)
    if (this.frames.length <= KEPT) return
    const gone = this.frames.splice(0, KEPT / 2)
    this.base += gone.length
    this.from = Number(gone.findLast((each) => each.id !== null)?.id ?? this.from)
  }

  /** The number of the first frame behind event `after`. */
  place(after: number): number {
    const at = this.frames.findIndex((each) => each.id !== null && Number(each.id) > after)
    return this.base + (at < 0 ? this.frames.length : at)
  }

  wake(): void {
    for (const each of [...this.waiting]) each()
  }
}

type Own = (after: number, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>

export class RunHub {
  readonly #tab = Math.random().toString(36).slice(2)
  readonly #runs = new Map<number, Heard>()
  #isDown = true
  #telling: ReturnType<typeof setInterval> | undefined

  /** `ask` says to the leader what this tab watches. */
  constructor(private readonly ask: (wish: Wish) => void) {}

  /** The tab takes part from now on. */
  join(): void {
    this.#isDown = false
    clearInterval(this.#telling)
    this.#telling = setInterval(() => { if (this.#runs.size > 0) this.#tell() }, TELL_MS)
    if (this.#runs.size > 0) this.#tell()
  }

  /** The tab takes no part any more. */
  leave(): void {
    clearInterval(this.#telling)
    if (this.#runs.size > 0) this.ask({ tab: this.#tab, runs: [] })
    this.#broke()
  }

  told(told: RunTold): void {
    switch (told.kind) {
      case 'ask': if (this.#runs.size > 0) this.#tell(); return
      case 'down': this.#broke(); return
      case 'watching': this.#watching(new Map(told.runs)); return
      case 'frames': this.#came(told.id, told.frames); return
      case 'beat': for (const heard of this.#runs.values()) { heard.beats++; heard.wake() }
    }
  }

  /** A run's events behind `after`, until the stream breaks; `own` opens a stream for it alone. */
  async *stream(id: number, after: number, own: Own, signal: AbortSignal): AsyncGenerator<Chunk> {
    const heard = this.#hold(id, after)
    try {
      if (heard.from === null && !this.#isDown) await this.#wait(heard, () => heard.from !== null || this.#isDown, signal)
      signal.throwIfAborted()
      const { from } = heard
      if (from === null || (after < from && heard.askedFrom === after)) return yield* this.#own(heard, await own(after, signal))
      heard.askedFrom = after < from ? after : -1
      if (after < from) yield [AGAIN]
      else yield* this.#read(heard, after, signal)
    } finally {
      this.#release(id, heard)
    }
  }

  async *#read(heard: Heard, after: number, signal: AbortSignal): AsyncGenerator<Chunk> {
    const { epoch } = heard
    let at = heard.place(after)
    yield []
    for (;;) {
      if (signal.aborted) return
      if (heard.epoch !== epoch && heard.from === null && at >= heard.base + heard.frames.length) throw new TypeError('The stream broke.')
      if ((heard.epoch !== epoch && heard.from !== null) || at < heard.base) return yield [AGAIN]
      const fresh = heard.frames.slice(at - heard.base)
      at += fresh.length
      const { beats } = heard
      yield fresh
      const isNews = () => heard.epoch !== epoch || heard.beats !== beats || heard.base + heard.frames.length > at
      if (!isNews()) await this.#wait(heard, isNews, signal, Infinity)
    }
  }

  /** Until the leader brings the run too. */
  async *#own(heard: Heard, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> {
    const { epoch } = heard
    for await (const chunk of chunks) {
      yield chunk
      if (heard.from !== null && heard.epoch !== epoch) return yield [AGAIN]
    }
  }

  #hold(id: number, after: number): Heard {
    const heard = this.#runs.get(id) ?? new Heard()
    clearTimeout(heard.lingering)
    heard.readers++
    if (heard.from === null) heard.to = after
    this.#runs.set(id, heard)
    if (heard.from === null && !this.#isDown) this.#tell()
    return heard
  }

  /** Pages are read between two streams: what comes meanwhile is held. */
  #release(id: number, heard: Heard): void {
    if (--heard.readers > 0) return
    clearTimeout(heard.lingering)
    heard.lingering = setTimeout(() => {
      this.#runs.delete(id)
      this.#tell()
    }, LINGER_MS)
  }

  #watching(cursors: ReadonlyMap<number, number>): void {
    this.#isDown = false
    for (const [id, heard] of this.#runs) {
      const cursor = cursors.get(id)
      if (cursor === undefined) heard.end()
      else if (heard.from === null || cursor > heard.to) heard.begin(cursor)
      heard.wake()
    }
  }

  #came(id: number, frames: readonly Frame[]): void {
    const heard = this.#runs.get(id)
    if (!heard) return
    for (const frame of frames) this.#take(heard, frame)
    heard.wake()
  }

  #take(heard: Heard, frame: Frame): void {
    if (heard.from === null) return
    if (frame.id === null && (frame.event === 'lagged' || frame.event === 'resync')) heard.begin((JSON.parse(frame.data) as { last_seq: number }).last_seq)
    else if (frame.id === null && frame.event === 'gone') heard.end()
    else if (frame.id === null || Number(frame.id) > heard.to) heard.add(frame)
    if (frame.id === null && frame.event === 'end') heard.end()
  }

  #broke(): void {
    this.#isDown = true
    for (const heard of this.#runs.values()) {
      heard.end()
      heard.wake()
    }
  }

  #tell(): void {
    this.ask({ tab: this.#tab, runs: [...this.#runs].map(([id, { to }]) => [id, to] as const) })
  }

  #wait(heard: Heard, isEnough: () => boolean, signal: AbortSignal, ms = WAIT_MS): Promise<void> {
    return new Promise((resolve) => {
      const look = () => { if (isEnough()) done() }
      const done = () => {
        clearTimeout(timer)
        heard.waiting.delete(look)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = ms === Infinity ? undefined : setTimeout(done, ms)
      heard.waiting.add(look)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}
