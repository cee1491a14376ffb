/** Whether somebody looks: a tab hidden for a while costs the server nothing. */

export interface Sight {
  readonly isHidden: boolean
  /** Call `heard` with every change until the answer is called. */
  listen(heard: () => void): () => void
}

/** The browser's own. */
export function documentSight(page: Document = document): Sight {
  return {
    get isHidden() {
      return page.visibilityState === 'hidden'
    },
    listen(heard) {
      page.addEventListener('visibilitychange', heard)
      return () => page.removeEventListener('visibilitychange', heard)
    },
  }
}

/** Resolves once the tab is seen, or `signal` is aborted. */
export function whenSeen(sight: Sight, signal: AbortSignal): Promise<void> {
  if (!sight.isHidden || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const stop = sight.listen(() => {
      if (!sight.isHidden) done()
    })
    signal.addEventListener('abort', done)
  })
}

/** A signal that is aborted when the tab was hidden for `ms` on end, or with `outer`; `stop` lets go of it. */
export function seenSignal(sight: Sight, ms: number, outer: AbortSignal): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const abort = () => controller.abort()
  const look = () => {
    clearTimeout(timer)
    if (sight.isHidden) timer = setTimeout(abort, ms)
  }
  const deafen = sight.listen(look)
  look()
  if (outer.aborted) abort()
  outer.addEventListener('abort', abort)
  const stop = () => {
    clearTimeout(timer)
    deafen()
    outer.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, stop }
}
