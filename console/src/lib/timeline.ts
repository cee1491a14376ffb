/**
 * A run's events in a bounded window: ordered by `seq`, each once, without gaps other than what retention took.
 *
 * The server numbers a run's events 1, 2, 3 …, so a row of the list *is* a `seq` and the list of a million events needs
 * only those around the eye: `at` answers what is held, and the rest is fetched by `seq`. Three numbers tell where we
 * are: `cursor` (every event up to it was seen, where the stream resumes), `last` (the last one held) and `known` (the
 * last one the server has told of).
 */

/** What the window needs to know of an event. */
export interface Numbered {
  readonly seq: number
}

/** Events from `from` to `to` are gone: their retention is over. */
export interface Notice {
  readonly from: number
  readonly to: number
}

/** What was made of the events that came. */
export interface Offered {
  readonly added: number
  readonly duplicates: number
}

export interface Bounds {
  readonly rows: number
  readonly bytes: number
  /** How many events may wait behind a gap; more are fetched again. */
  readonly waiting: number
}

export type Side = 'start' | 'end'

export const BOUNDS: Bounds = { rows: 50_000, bytes: 64 * 1024 * 1024, waiting: 2_000 }

/** About the length of its JSON, without making that. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 6
  let sum = 2
  for (const [name, each] of Object.entries(value)) sum += name.length + 4 + sizeOf(each)
  return sum
}

/** The window; not safe to share between runs. */
export class Timeline<E extends Numbered> {
  #rows: E[] = []
  #sizes: number[] = []
  #bytes = 0
  #cursor: number
  #known: number
  #notices: Notice[] = []
  #revision = 0
  #generation = 0
  readonly #waiting = new Map<number, E>()

  /** `after`: nothing up to it is wanted yet, so that a long run opens at its end. */
  constructor(
    after = 0,
    private readonly bounds: Bounds = BOUNDS,
    private readonly size: (event: E) => number = sizeOf,
  ) {
    this.#cursor = after
    this.#known = after
  }

  /** Every event up to here was seen: the stream resumes behind it. */
  get cursor(): number {
    return this.#cursor
  }

  /** The last `seq` that the server told of. */
  get known(): number {
    return this.#known
  }

  /** The first `seq` held; `cursor + 1` where none is. */
  get first(): number {
    return this.#rows[0]?.seq ?? this.#cursor + 1
  }

  /** The last `seq` held; `first - 1` where none is. */
  get last(): number {
    return this.#rows.at(-1)?.seq ?? this.#cursor
  }

  get rows(): readonly E[] {
    return this.#rows
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What retention took, in order and apart from each other. */
  get notices(): readonly Notice[] {
    return this.#notices
  }

  /** Changes with every change, for `useSyncExternalStore`. */
  get revision(): number {
    return this.#revision
  }

  /** Changes when rows changed other than by more of them at the end: whatever was made of them is made anew. */
  get generation(): number {
    return this.#generation
  }

  /** Whether new events go on where the window ends; not so once its end was evicted. */
  get isAtEnd(): boolean {
    return this.#rows.length === 0 || this.#joins(this.last, this.#cursor + 1)
  }

  /** What is missing before events that already came, to be fetched first; null where nothing is. */
  get gap(): { readonly after: number; readonly before: number } | null {
    if (this.#waiting.size === 0) return null
    return { after: this.#cursor, before: Math.min(...this.#waiting.keys()) }
  }

  /** The event with this number, where it is held. */
  at(seq: number): E | undefined {
    const found = this.#rows[this.#place(seq)]
    return found?.seq === seq ? found : undefined
  }

  /** The notice that covers this number. */
  prunedAt(seq: number): Notice | undefined {
    return this.#notices.find((each) => each.from <= seq && seq <= each.to)
  }

  /** As the constructor's `after`, once it is known how long the run is; nothing where events came already. */
  begin(after: number): void {
    if (this.#cursor > 0 || this.#rows.length > 0) return
    this.#cursor = after
    this.learn(after)
  }

  /** Hold another part of what was seen instead: a page, in order. What is between it and the cursor is fetched again. */
  jump(page: readonly E[]): void {
    const rows: E[] = []
    for (const event of page) {
      const last = rows.at(-1)
      if (event.seq > this.#cursor || (last && !this.#joins(last.seq, event.seq))) break
      rows.push(event)
    }
    if (rows.length === 0) return
    this.#rows = rows
    this.#sizes = rows.map(this.size)
    this.#bytes = this.#sizes.reduce((sum, each) => sum + each, 0)
    this.#generation++
    this.#revision++
  }

  /** Take events from the live end, in any order, any of them again: what follows the cursor is shown, the rest waits. */
  offer(events: Iterable<E>): Offered {
    let duplicates = 0
    const before = this.#cursor
    for (const event of events) {
      this.learn(event.seq)
      if (event.seq <= this.#cursor || this.#waiting.has(event.seq)) duplicates++
      else if (event.seq === this.#cursor + 1) this.#advance(event)
      else this.#wait(event)
      this.#drain()
    }
    this.#evict('start')
    this.#revision++
    return { added: this.#cursor - before, duplicates }
  }

  /** The server has events up to here. */
  learn(seq: number): void {
    if (seq > this.#known) {
      this.#known = seq
      this.#revision++
    }
  }

  /** Events behind `after` and below `first` are gone for good. */
  prune(after: number, first: number): void {
    if (first <= after + 1) return
    this.#note({ from: after + 1, to: first - 1 })
    if (after <= this.#cursor && this.#cursor < first - 1) {
      this.#cursor = first - 1
      this.#drain()
    }
    for (const seq of this.#waiting.keys()) if (seq <= this.#cursor) this.#waiting.delete(seq)
    this.learn(first - 1)
    this.#revision++
  }

  /** Take a page that was fetched for `side`, in order; what does not touch the window is not taken. */
  extend(side: Side, page: readonly E[]): number {
    const taken = side === 'start' ? this.#before(page) : this.#behind(page)
    if (taken > 0) this.#evict(side === 'start' ? 'end' : 'start')
    this.#revision++
    return taken
  }

  #before(page: readonly E[]): number {
    const fresh: E[] = []
    let next = this.first
    for (const event of page.filter((each) => each.seq < this.first).reverse()) {
      if (!this.#joins(event.seq, next)) break
      fresh.push(event)
      next = event.seq
    }
    fresh.reverse()
    const sizes = fresh.map(this.size)
    if (fresh.length > 0) this.#generation++
    this.#rows = [...fresh, ...this.#rows]
    this.#sizes = [...sizes, ...this.#sizes]
    this.#bytes += sizes.reduce((sum, each) => sum + each, 0)
    return fresh.length
  }

  #behind(page: readonly E[]): number {
    const before = this.#rows.length
    for (const event of page) {
      if (event.seq > this.#cursor || event.seq <= this.last) continue
      if (!this.#joins(this.last, event.seq)) break
      this.#hold(event)
    }
    return this.#rows.length - before
  }

  /** Whether `next` comes straight behind `seq`, or everything between them is gone. */
  #joins(seq: number, next: number): boolean {
    let at = seq + 1
    for (const notice of this.#notices) if (notice.from <= at && at <= notice.to) at = notice.to + 1
    return at >= next
  }

  #advance(event: E): void {
    const isShown = this.isAtEnd
    this.#cursor = event.seq
    if (isShown) this.#hold(event)
  }

  #hold(event: E): void {
    const size = this.size(event)
    this.#rows.push(event)
    this.#sizes.push(size)
    this.#bytes += size
  }

  #wait(event: E): void {
    this.#waiting.set(event.seq, event)
    // Those nearest the gap are shown first; the farthest come again by a fetch.
    if (this.#waiting.size > this.bounds.waiting) this.#waiting.delete(Math.max(...this.#waiting.keys()))
  }

  #drain(): void {
    for (let next = this.#waiting.get(this.#cursor + 1); next; next = this.#waiting.get(this.#cursor + 1)) {
      this.#waiting.delete(next.seq)
      this.#advance(next)
    }
  }

  #evict(side: Side): void {
    const { rows, bytes } = this.bounds
    if (this.#rows.length <= rows && this.#bytes <= bytes) return
    // A tenth more than needed, since moving what stays costs the same for one as for many.
    const [rowsLeft, bytesLeft] = [Math.ceil(rows * 0.9), bytes * 0.9]
    let count = 0
    while (this.#rows.length - count > rowsLeft || (this.#bytes > bytesLeft && this.#rows.length - count > 1)) {
      this.#bytes -= this.#sizes[side === 'start' ? count : this.#sizes.length - 1 - count] ?? 0
      count++
    }
    this.#generation++
    const kept = side === 'start' ? ([count] as const) : ([0, this.#rows.length - count] as const)
    this.#rows = this.#rows.slice(...kept)
    this.#sizes = this.#sizes.slice(...kept)
  }

  #note(notice: Notice): void {
    const apart = this.#notices.filter((each) => each.to < notice.from - 1 || each.from > notice.to + 1)
    const joined = this.#notices.filter((each) => !apart.includes(each))
    const from = Math.min(notice.from, ...joined.map((each) => each.from))
    const to = Math.max(notice.to, ...joined.map((each) => each.to))
    this.#notices = [...apart, { from, to }].sort((a, b) => a.from - b.from)
  }

  #place(seq: number): number {
    let [low, high] = [0, this.#rows.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#rows[middle]?.seq ?? Infinity) < seq) low = middle + 1
      else high = middle
    }
    return low
  }
}
