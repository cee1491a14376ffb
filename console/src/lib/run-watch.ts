/** One run watched: its feed, the window over its events and what a page has to know of both, told once a frame. */
import { Again } from './again'
import { within } from './http'
import { type Connection, PAGE, RunFeed, type RunSource, TIMES } from './run-feed'
import type { RunEvent } from './run-source'
import { RunWindow } from './run-window'
import type { Sight } from './sight'
import { Timeline } from './timeline'
import { isTerminal, type Run } from './words'

/** What is known at a moment; a new object with every change. */
export interface Watched {
  readonly run: Run | null
  readonly connection: Connection
  /** When what is shown was last known to be so; null while it is known now. */
  readonly asOf: number | null
  readonly revision: number
}

export interface WatchOptions {
  readonly source: RunSource<RunEvent, Run>
  readonly sight: Sight
  readonly isOnline: () => boolean
  /** Call back before the next frame is drawn; answers how to call it off. */
  readonly onFrame: (draw: () => void) => () => void
}

/** A stream tells of events, not of the run: phase, tokens and cost are asked for beside it, at once where an event bears on them. */
const ASK_MS = 5000
const NEWS_MS = 150
const NEWS = /^(run|turn|session|decision|input)\.|^(usage|cost)$/

const TICKING: ReadonlySet<Connection['kind']> = new Set(['live', 'polling', 'ended'])

/** May be started again after a stop, as Strict Mode does: it goes on where it was. */
export class RunWatch {
  readonly timeline = new Timeline<RunEvent>()
  readonly window: RunWindow<RunEvent>
  #now: Watched = { run: null, connection: { kind: 'connecting' }, asOf: null, revision: 0 }
  #feed: RunFeed<RunEvent, Run> | null = null
  #callOff: (() => void) | null = null
  #heard = 0
  readonly #asking: Again
  readonly #listeners = new Set<() => void>()
  #drawn: Watched = this.#now

  constructor(private readonly options: WatchOptions) {
    this.window = new RunWindow({ page: options.source.page, timeline: this.timeline, onChange: () => this.#change({}) })
    this.#asking = new Again((signal) => this.#ask(signal), ASK_MS)
  }

  /** For `useSyncExternalStore`: the same object until the next frame with news. */
  get watched(): Watched {
    return this.#drawn
  }

  readonly listen = (heard: () => void): (() => void) => {
    this.#listeners.add(heard)
    return () => void this.#listeners.delete(heard)
  }

  start(): void {
    const { source, sight, isOnline } = this.options
    this.window.resume()
    this.#feed = new RunFeed({
      source, timeline: this.timeline, sight, isOnline,
      openAt: (run) => Math.max(0, run.last_seq - PAGE),
      onRun: (run) => this.#change({ run }),
      onEvents: () => this.#came(),
      onConnection: (connection) => this.#turned(connection),
    })
    void this.#feed.start()
  }

  stop(): void {
    this.#feed?.stop()
    this.#feed = null
    this.window.stop()
    this.#asking.stop()
    this.#callOff?.()
    this.#callOff = null
  }

  /** Ask again after a refusal. */
  again(): void {
    this.stop()
    this.#change({ connection: { kind: 'connecting' } })
    this.start()
  }

  /** Hold the first events that are kept. */
  begin(): void {
    void this.window.start()
    this.#change({})
  }

  /** Go on now instead of after the wait. */
  refresh(): void {
    this.#feed?.refresh()
    this.#asking.soon(NEWS_MS)
  }

  /** The run as an answer to a wish has it; what the feed knows to be over stays so. */
  learn(run: Run): void {
    const known = this.#now.run
    if (known && (isTerminal(known.status) || known.last_seq > run.last_seq)) return
    this.#change({ run })
  }

  #turned(connection: Connection): void {
    if (connection.kind === 'live') this.#asking.start()
    else this.#asking.stop()
    this.#change({ connection, asOf: TICKING.has(connection.kind) ? null : (this.#now.asOf ?? Date.now()) })
  }

  #came(): void {
    const { rows, cursor } = this.timeline
    for (let at = rows.length - 1; at >= 0; at--) {
      const event = rows[at]
      if (!event || event.seq <= this.#heard) break
      if (NEWS.test(event.type)) this.#asking.soon(NEWS_MS)
    }
    this.#heard = cursor
    this.#change({})
  }

  async #ask(signal: AbortSignal): Promise<void> {
    this.learn(await within(TIMES.read, signal, (inner) => this.options.source.run(inner)))
  }

  #change(part: Partial<Watched>): void {
    this.#now = { ...this.#now, ...part, revision: this.#now.revision + 1 }
    this.#callOff ??= this.options.onFrame(() => {
      this.#callOff = null
      this.#drawn = this.#now
      for (const each of this.#listeners) each()
    })
  }
}
