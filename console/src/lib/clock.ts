/** The server's present: it ticks while what is shown is known to be so, and stands still while it is not. */

const TICK_MS = 1000
/** Less than this is the answer's own travel time, not a clock that is off. */
const APART_MS = 2000

/** One clock for everything on the page; `asOf` is when it stopped, null while it ticks. */
export class Clock {
  #offset = 0
  #asOf: number | null = null
  #now = Date.now()
  #timer: ReturnType<typeof setInterval> | undefined
  #listeners = new Set<() => void>()

  /** Milliseconds since 1970 by the server's clock; the same number until it ticks. */
  get now(): number {
    return this.#now
  }

  get asOf(): number | null {
    return this.#asOf
  }

  /** Let it tick, or stop it. */
  setLive(isLive: boolean): void {
    if (isLive === (this.#asOf === null)) return
    this.#tick()
    this.#asOf = isLive ? null : this.#now
    this.#arm()
    this.#tell()
  }

  /** What the server says the time is. */
  adjust(serverMs: number, here = Date.now()): void {
    if (!Number.isFinite(serverMs)) return
    const apart = serverMs - here
    this.#offset = Math.abs(apart) < APART_MS ? 0 : apart
    this.#tick()
    this.#tell()
  }

  listen(heard: () => void): () => void {
    this.#listeners.add(heard)
    this.#arm()
    return () => {
      this.#listeners.delete(heard)
      this.#arm()
    }
  }

  #arm(): void {
    const isNeeded = this.#listeners.size > 0 && this.#asOf === null
    if (isNeeded && this.#timer === undefined) {
      this.#tick()
      this.#timer = setInterval(() => { this.#tick(); this.#tell() }, TICK_MS)
    } else if (!isNeeded) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #tick(): void {
    if (this.#asOf === null) this.#now = Date.now() + this.#offset
  }

  #tell(): void {
    for (const each of this.#listeners) each()
  }
}
