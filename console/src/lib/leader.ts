/**
 * One tab streams for all: over HTTP/1.1 a browser opens six connections to a server, and each tab would hold one.
 *
 * The tab with the lock leads and tells the others what it hears; when it closes, the browser gives the lock to the
 * next. Where there are no locks (a page not on loopback and not over TLS), each tab leads itself.
 */

/** The part of `navigator.locks` that is used. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>
}

/** The part of `BroadcastChannel` that is used. */
export interface Channel<M> {
  postMessage(message: M): void
  onmessage: ((event: MessageEvent<M>) => void) | null
  close(): void
}

/** What goes through the channel: news, a tab that came and asks how things are, or what a tab wishes of the leader. */
export type Shared<M, W = never> = { readonly news: M } | { readonly isHere: true } | { readonly wish: W }

/** One that takes part. */
export interface Member<W> {
  /** Wish something of whoever leads. */
  readonly wish: (wish: W) => void
  readonly leave: () => void
}

export interface SharedOptions<M, W = never> {
  readonly name: string
  readonly locks: Locks | undefined
  readonly open: (name: string) => Channel<Shared<M, W>>
  /** Begin to stream; what it says goes to every tab. Answers how to stop. */
  readonly lead: (say: (message: M) => void) => () => void
  readonly onMessage: (message: M) => void
  /** What the leader tells a tab that has just come. */
  readonly greeting?: () => M
  /** What a tab wishes, where this one leads. */
  readonly onWish?: (wish: W) => void
  readonly onRole?: (isLeader: boolean) => void
}

/** Take part until `leave` is called. */
export function share<M, W = never>(options: SharedOptions<M, W>): Member<W> {
  const left = new AbortController()
  const channel = options.open(options.name)
  channel.onmessage = ({ data }) => { if ('news' in data) options.onMessage(data.news) }
  let isLeading = false
  const lead = () => {
    isLeading = true
    return whileLeading(options, channel, left.signal)
  }
  if (options.locks) {
    options.onRole?.(false)
    // Rejects only with our own signal: the tab left before its turn came.
    options.locks.request(options.name, { signal: left.signal }, lead).catch(() => undefined)
    channel.postMessage({ isHere: true })
  } else void lead()
  return {
    wish(wish) {
      if (left.signal.aborted) return
      if (isLeading) options.onWish?.(wish)
      else channel.postMessage({ wish })
    },
    leave() {
      left.abort()
      channel.onmessage = null
      channel.close()
    },
  }
}

function whileLeading<M, W>(options: SharedOptions<M, W>, channel: Channel<Shared<M, W>>, left: AbortSignal): Promise<void> {
  if (left.aborted) return Promise.resolve()
  options.onRole?.(true)
  channel.onmessage = ({ data }) => {
    if ('isHere' in data && options.greeting) channel.postMessage({ news: options.greeting() })
    // Where there are no locks every tab leads itself alone.
    if ('wish' in data && options.locks) options.onWish?.(data.wish)
  }
  const stop = options.lead((message) => {
    if (left.aborted) return
    options.onMessage(message)
    if (options.locks) channel.postMessage({ news: message })
  })
  return new Promise((resolve) => {
    left.addEventListener('abort', () => {
      stop()
      resolve()
    })
  })
}
