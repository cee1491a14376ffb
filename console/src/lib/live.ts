/**
 * What this tab hears of the server: one stream per browser, led by a tab that somebody looks at.
 *
 * A tab that was hidden for a while takes no part and gives its lead away; once a minute it may ask for one small thing.
 */
import { type Locks, type Member, type Shared, type Channel, share } from './leader'
import { RunHub } from './run-hub'
import { type RunTold, RunTopics, type Wish } from './run-topics'
import type { LiveState, News, RunsFeed } from './runs-feed'
import type { Sight } from './sight'

export const HIDDEN_MS = 30_000
export const GLANCE_MS = 60_000

/** What the leader tells: news for every page, or something of one run for who watches it. */
export type Told = News | { readonly kind: 'of run'; readonly told: RunTold }

export interface LiveOptions {
  readonly sight: Sight
  readonly locks: Locks | undefined
  readonly open: (name: string) => Channel<Shared<Told, Wish>>
  readonly feed: (onNews: (news: News) => void, topics: RunTopics) => RunsFeed
  /** Called once a minute while the tab is hidden. */
  readonly onGlance?: () => void
}

/** Takes part from `start` to `stop`; may be started again, as Strict Mode does. */
export class Live {
  #state: LiveState = { kind: 'connecting' }
  #heard = new Set<(news: News) => void>()
  #member: Member<Wish> | null = null
  #topics: RunTopics | null = null
  /** Runs read by the one stream. */
  readonly runs = new RunHub((wish) => this.#member?.wish(wish))
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
      if (this.#member) this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MS)
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
    if (this.#member) return this.refresh()
    const wasAway = this.#state.kind === 'hidden'
    this.#take({ kind: 'state', state: { kind: 'connecting' } })
    this.#member = share<Told, Wish>({
      // A page of an older release would not know what is told of runs.
      name: 'agentrunner.live.2', locks: this.options.locks, open: this.options.open,
      greeting: () => ({ kind: 'state', state: this.#state }),
      onMessage: (news) => this.#take(news),
      onWish: (wish) => this.#topics?.wish(wish),
      lead: (say) => this.#lead(say),
    })
    this.runs.join()
    // What happened meanwhile was told to others.
    if (wasAway) this.#take({ kind: 'resync' })
  }

  #lead(say: (told: Told) => void): () => void {
    const tell = (told: RunTold) => say({ kind: 'of run', told })
    const topics = new RunTopics(tell, () => this.#feed?.restream())
    const feed = this.options.feed(say, topics)
    this.#topics = topics
    this.#feed = feed
    // Asked before the stream is opened, so that it is opened once for all that answer.
    tell({ kind: 'ask' })
    void feed.start()
    return () => {
      topics.stop()
      feed.stop()
      this.#topics = null
      this.#feed = null
    }
  }

  #leaveNow(): void {
    this.runs.leave()
    this.#member?.leave()
    this.#member = null
  }

  #take(news: Told): void {
    if (news.kind === 'of run') return this.runs.told(news.told)
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
