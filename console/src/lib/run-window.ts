/** The parts of a run's timeline that are not held: older, newer, or around one event; one request at a time. */
import { TimedOut, within } from './http'
import { type EventPage, PAGE, TIMES } from './run-feed'
import type { Numbered, Timeline } from './timeline'

export interface WindowOptions<E extends Numbered> {
  readonly page: (after: number, limit: number, signal: AbortSignal) => Promise<EventPage<E>>
  readonly timeline: Timeline<E>
  /** Something was taken, or a request began or ended. */
  readonly onChange: () => void
}

/** Fetches what the eye comes near to. After `stop` nothing is asked until `resume`. */
export class RunWindow<E extends Numbered> {
  #isBusy = false
  #wanted: number | null = null
  #problem: Error | null = null
  #running = new AbortController()

  constructor(private readonly options: WindowOptions<E>) {}

  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Why the last request failed; null once one succeeds. */
  get problem(): Error | null {
    return this.#problem
  }

  /** Whether older events are there that are not held. */
  get hasOlder(): boolean {
    const { timeline } = this.options
    return timeline.first > 1 && !this.#isPruned(timeline.first - 1)
  }

  /** Whether newer events were seen that are not held. */
  get hasNewer(): boolean {
    return !this.options.timeline.isAtEnd
  }

  resume(): void {
    this.#running = new AbortController()
  }

  stop(): void {
    this.#running.abort()
  }

  /** The page before the first event held. */
  async older(): Promise<void> {
    const { timeline } = this.options
    if (!this.hasOlder) return
    const before = timeline.first
    await this.#once(async (signal) => {
      const items = await this.#between(Math.max(0, before - 1 - PAGE), before, signal)
      timeline.extend('start', items)
    })
  }

  /** The page behind the last event held. */
  async newer(): Promise<void> {
    const { timeline } = this.options
    if (!this.hasNewer) return
    await this.#once(async (signal) => {
      const page = await this.#page(timeline.last, PAGE, signal)
      timeline.extend('end', page.items)
    })
  }

  /** Hold the part around an event; nothing where it is held already or is not yet there. Resolves when it is done. */
  async around(seq: number): Promise<void> {
    const { timeline } = this.options
    if (timeline.at(seq) || seq > timeline.cursor || seq < 1) return
    if (this.#isBusy) {
      this.#wanted = seq
      return
    }
    await this.#once(async (signal) => {
      const after = Math.max(0, seq - 1 - PAGE / 2)
      timeline.jump(await this.#between(after, Math.min(after + PAGE, timeline.cursor) + 1, signal))
    })
  }

  /** Hold the first events that are kept. */
  async start(): Promise<void> {
    const { timeline } = this.options
    if (!this.hasOlder) return
    if (this.#isBusy) this.#wanted = 1
    await this.#once(async (signal) => {
      timeline.jump((await this.#page(0, PAGE, signal)).items)
    })
  }

  /** Go back to the live end, however much lies between. */
  async end(): Promise<void> {
    if (this.hasNewer) await this.around(this.options.timeline.cursor)
  }

  // Events behind `after` and before `before`; a page of large ones has fewer than asked for.
  async #between(after: number, before: number, signal: AbortSignal): Promise<E[]> {
    const items: E[] = []
    let from = after
    while (from < before - 1) {
      const page = await this.#page(from, Math.min(PAGE, before - 1 - from), signal)
      const fresh = page.items.filter((each) => each.seq > from && each.seq < before)
      items.push(...fresh)
      const last = fresh.at(-1)
      if (!last) break
      from = last.seq
    }
    return items
  }

  async #page(after: number, limit: number, signal: AbortSignal): Promise<EventPage<E>> {
    const page = await within(TIMES.read, signal, (inner) => this.options.page(after, limit, inner))
    // Retention takes the oldest first, so whatever lies before is gone too.
    if (page.pruned_before != null) this.options.timeline.prune(0, page.pruned_before)
    return page
  }

  async #once(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#running
    if (this.#isBusy || signal.aborted) return
    this.#isBusy = true
    this.options.onChange()
    try {
      await work(signal)
      this.#problem = null
    } catch (error) {
      if (!signal.aborted) this.#problem = error instanceof Error ? error : new TimedOut('It could not be read.')
    } finally {
      this.#isBusy = false
      this.options.onChange()
    }
    const wanted = this.#wanted
    this.#wanted = null
    if (wanted !== null) await this.around(wanted)
  }

  #isPruned(seq: number): boolean {
    return this.options.timeline.prunedAt(seq)?.from === 1
  }
}
