/** One resource read again and again: one request at a time, none while nobody looks, sooner on news, later on errors. */
import { Refused, within } from './http'
import { PACE, type Pace, pause, PollPace } from './pace'
import { type Sight, whenSeen } from './sight'

export interface PollerOptions<T> {
  readonly read: (signal: AbortSignal) => Promise<T>
  readonly onValue: (value: T) => void
  readonly onError: (error: unknown) => void
  readonly isNews: (value: T, before: T | undefined) => boolean
  readonly sight: Sight
  readonly pace?: Pace
  readonly timeoutMs?: number
  readonly random?: () => number
}

export const HIDDEN_MS = 30_000

/** Polls from `start` to `stop`; starting again after a stop is allowed, as Strict Mode does. */
export class Poller<T> {
  #running: AbortController | null = null
  #inFlight: Promise<void> | null = null
  #wake = new AbortController()
  #last: T | undefined
  #hiddenSince: number | null = null
  #pace: PollPace

  constructor(private readonly options: PollerOptions<T>) {
    this.#pace = new PollPace(options.pace ?? PACE, options.random)
  }

  start(): void {
    if (this.#running) return
    this.#running = new AbortController()
    void this.#poll(this.#running.signal)
  }

  stop(): void {
    this.#running?.abort()
    this.#running = null
  }

  /** Read now, or join the read that is under way. Resolves when it is done, whatever came of it. */
  refresh(): Promise<void> {
    if (!this.#running) return Promise.resolve()
    if (!this.#inFlight) this.#wake.abort()
    return this.#inFlight ?? this.#begun()
  }

  async #begun(): Promise<void> {
    // The loop takes up the read in a microtask behind its wait.
    for (let turn = 0; turn < 8 && !this.#inFlight; turn++) await Promise.resolve()
    await this.#inFlight
  }

  async #poll(signal: AbortSignal): Promise<void> {
    // A stopped loop's last request settles first, so that two loops never ask at once.
    await this.#inFlight
    while (!signal.aborted) {
      let wait = 0
      this.#wake = new AbortController()
      const stop = () => this.#wake.abort()
      signal.addEventListener('abort', stop)
      this.#inFlight = this.#once(signal).then((ms) => {
        wait = ms
      })
      await this.#inFlight
      this.#inFlight = null
      if (!signal.aborted) await pause(wait, this.#wake.signal)
      signal.removeEventListener('abort', stop)
      await this.#rested(signal)
    }
  }

  /** Nothing is asked once the tab was hidden for a while; in the first half minute it may come back at any time. */
  async #rested(signal: AbortSignal): Promise<void> {
    const { sight } = this.options
    if (!sight.isHidden) this.#hiddenSince = null
    else this.#hiddenSince ??= Date.now()
    if (this.#hiddenSince !== null && Date.now() - this.#hiddenSince >= HIDDEN_MS) await whenSeen(sight, signal)
  }

  async #once(signal: AbortSignal): Promise<number> {
    try {
      const value = await within(this.options.timeoutMs ?? 10_000, signal, this.options.read)
      const isNews = this.options.isNews(value, this.#last)
      this.#last = value
      if (!signal.aborted) this.options.onValue(value)
      return this.#pace.answered(isNews)
    } catch (error) {
      if (signal.aborted) return 0
      this.options.onError(error)
      return this.#pace.failed(error instanceof Refused ? error.retryAfterMs : null)
    }
  }
}
