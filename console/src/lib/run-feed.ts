/**
 * One run as it goes on: pages up to the present, then the server's stream, and polling where streams do not get through.
 *
 * Every pass of the loop reads pages from the cursor first, so that a stream that broke, a tab that was hidden and a
 * poll are the same thing: go on where we are. The run is over for us only when its status is terminal *and* every
 * event up to its `last_seq` was seen.
 */
import { Refused, TimedOut, within } from './http'
import { PACE, type Pace, pause, PollPace, reconnectMs } from './pace'
import type { Chunk } from './run-hub'
import { type Sight, seenSignal, whenSeen } from './sight'
import { type Frame, SseParser } from './sse'
import type { Numbered, Timeline } from './timeline'
import { isTerminal, type Status } from './words'

/** What the feed needs to know of a run. */
export interface Following {
  readonly status: Status
  readonly last_seq: number
}

export interface EventPage<E> {
  readonly items: readonly E[]
  readonly next_cursor: number | null
  readonly pruned_before?: number | null
}

/** Where a run is read from. Each call ends with its signal; errors of the server are `Refused`. */
export interface RunSource<E extends Numbered, R extends Following> {
  run(signal: AbortSignal): Promise<R>
  page(after: number, limit: number, signal: AbortSignal): Promise<EventPage<E>>
  stream(after: number, signal: AbortSignal): Promise<AsyncIterable<Chunk>>
}

/** What is shown of the connection; `hidden` and all after it do not tick. */
export type Connection =
  | { readonly kind: 'connecting' | 'live' | 'polling' | 'hidden' | 'offline' | 'ended' }
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly at: number }
  | { readonly kind: 'refused'; readonly problem: Refused }

export interface RunFeedOptions<E extends Numbered, R extends Following> {
  readonly source: RunSource<E, R>
  readonly timeline: Timeline<E>
  readonly sight: Sight
  /** Where to begin, asked once before the first page: what lies up to there is not read. */
  readonly openAt?: (run: R) => number
  readonly onRun: (run: R) => void
  readonly onEvents: () => void
  readonly onConnection: (connection: Connection) => void
  readonly pace?: Pace
  readonly random?: () => number
  readonly isOnline?: () => boolean
}

export const TIMES = { read: 10_000, firstByte: 5_000, silent: 35_000, hidden: 30_000, streamAgain: 60_000, settled: 1_000 } as const
export const PAGE = 1000
/** Frames taken in one go, and the work after which the page gets a turn in between. */
const SLICE = 500
const SLICE_MS = 12
const FAILURES = 3

/** A stream was opened and says nothing: something on the way keeps its bytes back, and will next time. */
class HeldBack extends TimedOut {}

/** Follows a run from `start` to `stop`. Made in an effect and stopped in its cleanup; a stopped one is not started again. */
export class RunFeed<E extends Numbered, R extends Following> {
  #run: R | null = null
  /** Requests that failed one after the other: the server is away. */
  #attempts = 0
  /** Streams that did not get through although pages did: something on the way does not let them. */
  #streamFailures = 0
  #isStreaming = false
  #streamAgainAt = 0
  #isStarted = false
  /** Work on frames since the page had a turn. */
  #busyMs = 0
  readonly #stopped = new AbortController()
  readonly #poll: PollPace
  #wake = new AbortController()

  constructor(private readonly options: RunFeedOptions<E, R>) {
    this.#poll = new PollPace(options.pace ?? PACE, options.random)
  }

  /** Resolves when the run is over, the server refused for good, or `stop` was called. */
  async start(): Promise<void> {
    if (this.#isStarted) return
    this.#isStarted = true
    const deafen = this.options.sight.listen(() => this.refresh())
    this.#tell({ kind: 'connecting' })
    try {
      while (!this.#signal.aborted && !(await this.#pass())) continue
    } finally {
      deafen()
    }
  }

  stop(): void {
    this.#stopped.abort()
    this.#wake.abort()
  }

  /** Go on now instead of after the wait; nothing where a request is under way. */
  refresh(): void {
    if (!this.options.sight.isHidden) this.#wake.abort()
  }

  get #signal(): AbortSignal {
    return this.#stopped.signal
  }

  get #isPolling(): boolean {
    return this.#streamFailures >= FAILURES && Date.now() < this.#streamAgainAt
  }

  /** One pass; true where nothing is left to do. */
  async #pass(): Promise<boolean> {
    const seen = seenSignal(this.options.sight, TIMES.hidden, this.#signal)
    try {
      this.#isStreaming = false
      await this.#open(seen.signal)
      const before = this.options.timeline.cursor
      const isOver = await this.#readThrough(seen.signal)
      this.#attempts = 0
      if (isOver) return this.#finish({ kind: 'ended' })
      if (this.#isPolling) await this.#waitForPoll(this.options.timeline.cursor > before, seen.signal)
      else await this.#follow(seen.signal)
      return false
    } catch (error) {
      return await this.#failed(error, seen.signal)
    } finally {
      seen.stop()
      if (seen.signal.aborted) await this.#rest()
    }
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { source, timeline, openAt } = this.options
    if (!openAt || this.#run) return
    const run = await within(TIMES.read, signal, (inner) => source.run(inner))
    timeline.begin(openAt(run))
    this.#learn(run)
  }

  async #rest(): Promise<void> {
    if (this.#signal.aborted) return
    this.#tell({ kind: 'hidden' })
    await whenSeen(this.options.sight, this.#signal)
    this.#tell({ kind: 'connecting' })
  }

  /** Read pages up to the present, then the run; true where it is over and whole. */
  async #readThrough(signal: AbortSignal): Promise<boolean> {
    const { source, timeline } = this.options
    for (;;) {
      const before = timeline.cursor
      while (await this.#readPage(signal));
      const run = await within(TIMES.read, signal, (inner) => source.run(inner))
      this.#learn(run)
      const isWhole = timeline.cursor >= run.last_seq
      if (isWhole || !isTerminal(run.status)) return isTerminal(run.status)
      if (timeline.cursor === before) throw new TimedOut('The server has told of events that it does not give.')
    }
  }

  async #readPage(signal: AbortSignal): Promise<boolean> {
    const { source, timeline } = this.options
    const after = timeline.cursor
    const page = await within(TIMES.read, signal, (inner) => source.page(after, PAGE, inner))
    if (page.pruned_before != null) timeline.prune(after, page.pruned_before)
    if (page.items.length > 0 || page.pruned_before != null) {
      timeline.offer(page.items)
      this.options.onEvents()
    }
    // A page that brings nothing new would be asked for without end.
    return page.next_cursor !== null && timeline.cursor > after
  }

  async #follow(outer: AbortSignal): Promise<void> {
    this.#isStreaming = true
    const begun = Date.now()
    const inner = new AbortController()
    const watch = new Watch(inner)
    const abort = () => inner.abort(outer.reason)
    outer.addEventListener('abort', abort)
    try {
      watch.set(TIMES.firstByte, HeldBack)
      const chunks = await ending(this.options.source.stream(this.options.timeline.cursor, inner.signal), inner.signal)
      const parser = new SseParser()
      for await (const chunk of untilAborted(chunks, inner.signal)) {
        watch.set(TIMES.silent)
        this.#tell({ kind: 'live' })
        if (await this.#takeAll(chunk instanceof Uint8Array ? parser.push(chunk) : chunk, inner.signal)) return
      }
      throw new TypeError('The stream broke.')
    } finally {
      watch.clear()
      outer.removeEventListener('abort', abort)
      inner.abort()
      // One that lived for a while was a good one, however it ended.
      if (Date.now() - begun >= TIMES.settled && !(inner.signal.reason instanceof TimedOut)) this.#streamFailures = 0
    }
  }

  /** As `#take`, in slices: the page gets its turns however much came at once. */
  async #takeAll(frames: readonly Frame[], signal: AbortSignal): Promise<boolean> {
    for (let at = 0; at < frames.length; at += SLICE) {
      const begun = performance.now()
      if (this.#take(frames.slice(at, at + SLICE))) return true
      this.#busyMs += performance.now() - begun
      if (this.#busyMs < SLICE_MS) continue
      this.#busyMs = 0
      await pause(0, signal)
      signal.throwIfAborted()
    }
    return false
  }

  /** Take frames in their order; true where pages have to be read before anything else: the end, or a gap. */
  #take(frames: readonly Frame[]): boolean {
    const { timeline } = this.options
    let waiting: E[] = []
    let isOver = false
    const flush = () => {
      if (waiting.length > 0) timeline.offer(waiting)
      waiting = []
    }
    for (const frame of frames) {
      if (frame.id !== null) waiting.push(JSON.parse(frame.data) as E)
      else if (frame.event === 'pruned') {
        flush()
        timeline.prune(timeline.cursor, (JSON.parse(frame.data) as { pruned_before: number }).pruned_before)
      } else if (frame.event === 'end') {
        this.#learn(JSON.parse(frame.data) as R)
        isOver = true
      } else if (frame.event === 'again') isOver = true
    }
    flush()
    if (frames.length > 0) this.options.onEvents()
    return isOver || timeline.gap !== null
  }

  async #waitForPoll(hadNews: boolean, signal: AbortSignal): Promise<void> {
    this.#tell({ kind: 'polling' })
    await this.#wait(this.#poll.answered(hadNews), signal)
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (this.#signal.aborted) return true
    if (signal.aborted) return false
    if (error instanceof Refused && error.isFinal) return this.#finish({ kind: 'refused', problem: error })
    const wasPolling = this.#isPolling
    if (this.#isStreaming) this.#streamFailed(error)
    else this.#attempts++
    const attempt = this.#attempts + this.#streamFailures
    const asked = error instanceof Refused ? error.retryAfterMs : null
    const ms = wasPolling ? this.#poll.failed(asked) : Math.max(asked ?? 0, reconnectMs(attempt, this.options.random))
    const isOnline = this.options.isOnline?.() ?? true
    this.#tell(isOnline ? { kind: 'reconnecting', attempt, at: Date.now() + ms } : { kind: 'offline' })
    await this.#wait(ms, signal)
    return false
  }

  #streamFailed(error: unknown): void {
    this.#streamFailures = error instanceof HeldBack ? Math.max(FAILURES, this.#streamFailures + 1) : this.#streamFailures + 1
    if (this.#streamFailures >= FAILURES) this.#streamAgainAt = Date.now() + TIMES.streamAgain
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController()
    const wake = () => this.#wake.abort()
    signal.addEventListener('abort', wake)
    if (signal.aborted) wake()
    await pause(ms, this.#wake.signal)
    signal.removeEventListener('abort', wake)
  }

  #learn(run: R): void {
    this.options.timeline.learn(run.last_seq)
    if (this.#run && isTerminal(this.#run.status) && !isTerminal(run.status)) return
    this.#run = run
    if (!this.#signal.aborted) this.options.onRun(run)
  }

  #finish(connection: Connection): true {
    this.#tell(connection)
    return true
  }

  #tell(connection: Connection): void {
    if (!this.#signal.aborted) this.options.onConnection(connection)
  }
}

/** Aborts when nothing was heard for as long as it is set. */
class Watch {
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly controller: AbortController) {}

  set(ms: number, Cause: typeof TimedOut = TimedOut): void {
    this.clear()
    this.#timer = setTimeout(() => this.controller.abort(new Cause(`No byte for ${ms / 1000} s.`)), ms)
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}

function ending<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

async function* untilAborted<T>(chunks: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const reading = chunks[Symbol.asyncIterator]()
  try {
    for (let next = await ending(reading.next(), signal); !next.done; next = await ending(reading.next(), signal)) yield next.value
  } finally {
    // Not waited for: a source that never answers would hold the feed.
    void reading.return?.().catch(() => undefined)
  }
}
