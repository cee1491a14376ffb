/**
 * News of all runs as long as it goes on: the server's stream of hints, and polling where streams do not get through.
 *
 * Every pass first reads a small probe, so that a server that is away and a stream that is blocked are told apart: only
 * the second makes it poll. Hints are no history: `resync` says that everything shown is to be read again.
 */
import { Refused, within } from './http'
import { PACE, type Pace, pause, PollPace, reconnectMs } from './pace'
import { HeldBack, readStream } from './reading'
import type { RunTopics } from './run-topics'
import type { Frame } from './sse'
import type { Run } from './words'

/** What is shown of the connection; only with `live` and `polling` do clocks tick. */
export type LiveState =
  | { readonly kind: 'connecting' | 'live' | 'polling' | 'hidden' | 'offline' }
  | { readonly kind: 'reconnecting'; readonly attempt: number; readonly at: number }
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }

/** A run changed (`run` is null where it is too large for a hint), everything is to be read again, or the state changed. */
export type News =
  | { readonly kind: 'run'; readonly id: number; readonly run: Run | null }
  | { readonly kind: 'resync' }
  | { readonly kind: 'state'; readonly state: LiveState }

export interface RunsSource {
  /** Something short that differs once a run has changed. */
  probe(signal: AbortSignal): Promise<string>
  /** `topics`: what is wanted besides the hints of all runs. */
  stream(signal: AbortSignal, topics: readonly string[]): Promise<AsyncIterable<Uint8Array>>
}

export interface RunsFeedOptions {
  readonly source: RunsSource
  readonly onNews: (news: News) => void
  /** Runs that are followed event by event on the same stream. */
  readonly topics?: Pick<RunTopics, 'open' | 'came' | 'down'>
  readonly pace?: Pace
  readonly random?: () => number
  readonly isOnline?: () => boolean
}

export const TIMES = { read: 10_000, firstByte: 5_000, silent: 35_000, streamAgain: 60_000, settled: 1_000 } as const
const FAILURES = 3

/** Runs from `start` to `stop`; a stopped one is not started again. */
export class RunsFeed {
  /** Probes that failed one after the other: the server is away. */
  #attempts = 0
  /** Streams that failed although the probe got through. */
  #streamFailures = 0
  #streamAgainAt = 0
  #isStreaming = false
  /** The server answered just now. */
  #isProbed = false
  #probed: string | null = null
  #wake = new AbortController()
  #recheck = new AbortController()
  readonly #stopped = new AbortController()
  readonly #poll: PollPace

  constructor(private readonly options: RunsFeedOptions) {
    this.#poll = new PollPace(options.pace ?? PACE, options.random)
  }

  /** Resolves once the server refused for good or `stop` was called. */
  async start(): Promise<void> {
    this.#tell({ kind: 'connecting' })
    while (!this.#stopped.signal.aborted && !(await this.#pass())) continue
  }

  stop(): void {
    this.#stopped.abort()
    this.#wake.abort()
  }

  /** Go on now instead of after the wait. */
  refresh(): void {
    this.#wake.abort()
  }

  /** Ask anew whether the server is there: the network changed, and a dead stream would be noticed late. */
  recheck(): void {
    this.#recheck.abort()
    this.#wake.abort()
  }

  /** Open the stream anew, where there is one: its topics changed. */
  restream(): void {
    if (!this.#isStreaming) return
    this.#isProbed = true
    this.#recheck.abort()
  }

  get #isPolling(): boolean {
    return this.#streamFailures >= FAILURES && Date.now() < this.#streamAgainAt
  }

  async #pass(): Promise<boolean> {
    const { source } = this.options
    try {
      this.#isStreaming = false
      if (this.#isProbed) {
        this.#isProbed = false
        return await this.#follow()
      }
      const probed = await within(TIMES.read, this.#stopped.signal, (signal) => source.probe(signal))
      const hadNews = this.#probed !== probed
      this.#probed = probed
      this.#attempts = 0
      if (!this.#isPolling) return await this.#follow()
      this.#tell({ kind: 'polling' })
      if (hadNews) this.#say({ kind: 'resync' })
      await this.#wait(this.#poll.answered(hadNews))
      return false
    } catch (error) {
      return await this.#failed(error)
    }
  }

  async #follow(): Promise<never> {
    this.#isStreaming = true
    const begun = Date.now()
    this.#recheck = new AbortController()
    const { source, topics } = this.options
    const onFrames = (frames: readonly Frame[]) => {
      this.#tell({ kind: 'live' })
      for (const each of topics?.came(frames) ?? frames) this.#take(each)
      // One that lived for a while was a good one, however it ends.
      if (Date.now() - begun >= TIMES.settled) this.#streamFailures = 0
    }
    const open = (signal: AbortSignal) => source.stream(signal, topics?.open() ?? [])
    return await readStream({ open, onFrames, firstByteMs: TIMES.firstByte, silentMs: TIMES.silent }, AbortSignal.any([this.#stopped.signal, this.#recheck.signal]))
  }

  #take(frame: Frame): void {
    if (frame.event === 'resync') this.#say({ kind: 'resync' })
    if (frame.event !== 'run') return
    const hint = JSON.parse(frame.data) as { id: number; run: Run | null }
    this.#say({ kind: 'run', id: hint.id, run: hint.run })
  }

  async #failed(error: unknown): Promise<boolean> {
    if (this.#stopped.signal.aborted) return true
    if (this.#isStreaming && this.#recheck.signal.aborted) return false
    this.options.topics?.down()
    if (error instanceof Refused && error.isFinal) {
      this.#tell({ kind: 'refused', status: error.status, detail: error.message })
      return true
    }
    const wasPolling = this.#isPolling
    if (this.#isStreaming) this.#streamFailed(error)
    else this.#attempts++
    const asked = error instanceof Refused ? error.retryAfterMs : null
    const attempt = this.#attempts + this.#streamFailures
    const ms = wasPolling ? this.#poll.failed(asked) : Math.max(asked ?? 0, reconnectMs(Math.max(1, attempt), this.options.random))
    const isOnline = this.options.isOnline?.() ?? true
    this.#tell(isOnline ? { kind: 'reconnecting', attempt, at: Date.now() + ms } : { kind: 'offline' })
    await this.#wait(ms)
    return false
  }

  #streamFailed(error: unknown): void {
    // Silence from the first byte on is something that keeps bytes back, and will next time too.
    this.#streamFailures = error instanceof HeldBack ? FAILURES : this.#streamFailures + 1
    if (this.#streamFailures >= FAILURES) this.#streamAgainAt = Date.now() + TIMES.streamAgain
  }

  async #wait(ms: number): Promise<void> {
    this.#wake = new AbortController()
    if (this.#stopped.signal.aborted) this.#wake.abort()
    await pause(ms, this.#wake.signal)
  }

  #tell(state: LiveState): void {
    this.#say({ kind: 'state', state })
  }

  #say(news: News): void {
    if (!this.#stopped.signal.aborted) this.options.onNews(news)
  }
}
