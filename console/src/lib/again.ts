/** Work done again and again: at a pace, sooner on news, one at a time, and not at all once stopped. */

export class Again {
  #timer: ReturnType<typeof setTimeout> | undefined
  #due = Infinity
  #running: AbortController | null = null
  #isBusy = false
  #isWantedAgain = false

  /** `work` is told when it is no more wanted; its errors are its own. */
  constructor(
    private readonly work: (signal: AbortSignal) => Promise<void>,
    private readonly everyMs: number,
  ) {}

  start(): void {
    if (this.#running) return
    this.#running = new AbortController()
    this.soon(this.everyMs)
  }

  stop(): void {
    this.#running?.abort()
    this.#running = null
    this.#isWantedAgain = false
    clearTimeout(this.#timer)
    this.#due = Infinity
  }

  /** Within `ms`; news that comes while it is at work has it done once more. */
  soon(ms: number): void {
    if (!this.#running) return
    if (this.#isBusy) this.#isWantedAgain = true
    const due = Date.now() + ms
    if (this.#isBusy || due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => void this.#once(ms), ms)
  }

  async #once(ms: number): Promise<void> {
    const running = this.#running
    if (!running) return
    this.#due = Infinity
    this.#isBusy = true
    this.#isWantedAgain = false
    await this.work(running.signal).catch(() => undefined)
    this.#isBusy = false
    this.soon(this.#isWantedAgain ? Math.min(ms, this.everyMs) : this.everyMs)
  }
}
