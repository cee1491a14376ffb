/**
 * What this tab hears of the server: one stream per browser, led by a tab that somebody looks at.
 *
 * A tab that was hidden for a while takes no part and gives its lead away; once a minute it may ask for one small thing.
 */
import { type Locks, type Shared, type Channel, share } from './leader'
import type { LiveState, News, RunsFeed } from './runs-feed'
import type { Sight } from './sight'

export const HIDDEN_MS = 30_000
export const GLANCE_MS = 60_000

export interface LiveOptions {
  readonly sight: Sight
  readonly locks: Locks | undefined
  readonly open: (name: string) => Channel<Shared<News>>
  readonly feed: (onNews: (news: News) => void) => RunsFeed
  /** Called once a minute while the tab is hidden. */
  readonly onGlance?: () => void
}

/** Takes part from `start` to `stop`; may be started again, as Strict Mode does. */
export class Live {
  #state: LiveState = { kind: 'connecting' }
  #heard = new Set<(news: News) => void>()
  #leave: (() => void) | null = null
  #feed: RunsFeed | null = null
  #deafen: (() => void) | null = null
  #hiding: ReturnType<typeof setTimeout> | undefined
  #glances: ReturnType<typeof setInterval> | undefined

  constructor(private readonly options: LiveOptions) {}

  get state(): LiveState {
    return this.#state
  }

  /** Whether this tab is the one that streams. */
  get isLeader(): boolean {
    return this.#feed !== null
  }

  start(): void {
    this.#deafen ??= this.options.sight.listen(() => this.#look())
    this.#look()
  }

  stop(): void {
    this.#deafen?.()
    this.#deafen = null
    clearTimeout(this.#hiding)
    clearInterval(this.#glances)
    this.#leaveNow()
  }

  /** Call `heard` with all news until the answer is called. */
  listen(heard: (news: News) => void): () => void {
    this.#heard.add(heard)
    return () => void this.#heard.delete(heard)
  }

  /** Try again now, where this tab leads. */
  refresh(): void {
    this.#feed?.refresh()
  }

  /** Ask anew whether the server is there, where this tab leads. */
  recheck(): void {
    this.#feed?.recheck()
  }

  #look(): void {
    clearTimeout(this.#hiding)
    if (this.options.sight.isHidden) {
      if (this.#leave) this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MS)
      else this.#rest()
    } else this.#join()
  }

  #rest(): void {
    this.#leaveNow()
    this.#take({ kind: 'state', state: { kind: 'hidden' } })
    clearInterval(this.#glances)
    this.#glances = setInterval(() => this.options.onGlance?.(), GLANCE_MS)
  }

  #join(): void {
    clearInterval(this.#glances)
    if (this.#leave) return this.refresh()
    const wasAway = this.#state.kind === 'hidden'
    this.#take({ kind: 'state', state: { kind: 'connecting' } })
    this.#leave = share<News>({
      name: 'agentrunner.live', locks: this.options.locks, open: this.options.open,
      greeting: () => ({ kind: 'state', state: this.#state }),
      onMessage: (news) => this.#take(news),
      lead: (say) => this.#lead(say),
    })
    // What happened meanwhile was told to others.
    if (wasAway) this.#take({ kind: 'resync' })
  }

  #lead(say: (news: News) => void): () => void {
    const feed = this.options.feed(say)
    this.#feed = feed
    void feed.start()
    return () => {
      feed.stop()
      this.#feed = null
    }
  }

  #leaveNow(): void {
    this.#leave?.()
    this.#leave = null
  }

  #take(news: News): void {
    if (news.kind === 'state') {
      if (isSame(this.#state, news.state)) return
      this.#state = news.state
    }
    for (const each of this.#heard) each(news)
  }
}

function isSame(a: LiveState, b: LiveState): boolean {
  return a.kind === b.kind && a.kind !== 'reconnecting' && a.kind !== 'refused'
}
