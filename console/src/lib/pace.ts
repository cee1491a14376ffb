/** How long to wait: after failures, between polls; and waits that a signal or news ends early. */

export interface Pace {
  readonly fastMs: number
  readonly idleMs: number
  readonly maxMs: number
}

/** Document 001's knobs, replaced by `/v1/config` once it is read. */
export const PACE: Pace = { fastMs: 1500, idleMs: 10_000, maxMs: 30_000 }

/** The wait before reconnect `attempt` (from 1): 250 ms doubled each time up to 15 s, half of it by chance. */
export function reconnectMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(15_000, 250 * 2 ** Math.min(attempt - 1, 16))
  return full / 2 + (full / 2) * random()
}

/** The wait before the next poll: fast on news, by half longer each time without, doubled with full jitter on errors. */
export class PollPace {
  #wait: number
  #errors = 0

  constructor(
    private readonly pace: Pace = PACE,
    private readonly random: () => number = Math.random,
  ) {
    this.#wait = pace.fastMs
  }

  /** After an answer. */
  answered(hadNews: boolean): number {
    this.#errors = 0
    this.#wait = hadNews ? this.pace.fastMs : Math.min(this.pace.idleMs, this.#wait * 1.5)
    return this.#wait
  }

  /** After an error; never sooner than the server asked. */
  failed(retryAfterMs: number | null = null): number {
    this.#errors = Math.min(this.#errors + 1, 16)
    const most = Math.min(this.pace.maxMs, this.pace.fastMs * 2 ** this.#errors)
    return Math.max(retryAfterMs ?? 0, this.pace.fastMs / 2 + (most - this.pace.fastMs / 2) * this.random())
  }
}

/** Wait `ms`; ends early, without an error, once `early` is aborted. */
export function pause(ms: number, early: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      early.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (early.aborted) done()
    else early.addEventListener('abort', done)
  })
}
