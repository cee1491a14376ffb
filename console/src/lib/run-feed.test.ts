import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Refused } from './http'
import { type Connection, type Following, RunFeed, type RunSource, TIMES } from './run-feed'
import type { Sight } from './sight'
import { type Numbered, Timeline } from './timeline'

const text = new TextEncoder()
const frame = (seq: number) => `id: ${seq}\nevent: log\ndata: ${JSON.stringify({ seq })}\n\n`

/** A tab that can be hidden. */
class Tab implements Sight {
  isHidden = false
  #heard = new Set<() => void>()
  listen(heard: () => void) {
    this.#heard.add(heard)
    return () => void this.#heard.delete(heard)
  }
  turn(isHidden: boolean) {
    this.isHidden = isHidden
    for (const each of [...this.#heard]) each()
  }
  get listeners() {
    return this.#heard.size
  }
}

/** A server with one run, whose stream says what it is told to; it counts who asks at once. */
class Server implements RunSource<Numbered, Following> {
  total = 0
  status: Following['status'] = 'RUNNING'
  pages = 0
  streams = 0
  open = 0
  atOnce = 0
  most = 0
  prunedBefore: number | null = null
  streaming: (after: number, signal: AbortSignal) => AsyncIterable<Uint8Array> | Promise<never> = () => Promise.reject(new TypeError('no stream'))
  broken: Error | null = null

  async #asked<T>(answer: () => T): Promise<T> {
    this.most = Math.max(this.most, ++this.atOnce)
    try {
      await Promise.resolve()
      if (this.broken) throw this.broken
      return answer()
    } finally {
      this.atOnce--
    }
  }

  run() {
    return this.#asked(() => ({ status: this.status, last_seq: this.total }))
  }

  page(after: number, limit: number) {
    this.pages++
    return this.#asked(() => {
      const from = Math.max(after + 1, this.prunedBefore ?? 0)
      const items = Array.from({ length: Math.max(0, Math.min(limit, this.total - from + 1)) }, (_, at) => ({ seq: from + at }))
      const last = items.at(-1)?.seq ?? after
      return { items, next_cursor: last < this.total ? last : null, pruned_before: from > after + 1 ? from : null }
    })
  }

  async stream(after: number, signal: AbortSignal) {
    this.streams++
    return this.#counted(await this.streaming(after, signal))
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>) {
    this.open++
    try {
      yield* chunks
    } finally {
      this.open--
    }
  }
}

async function* says(...chunks: string[]) {
  for (const chunk of chunks) yield text.encode(chunk)
}

async function* saysAndStays(signal: AbortSignal, ...chunks: string[]) {
  for (const chunk of chunks) yield text.encode(chunk)
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
}

function follow(server: Server, tab = new Tab(), timeline = new Timeline<Numbered>()) {
  const connections: Connection[] = []
  const runs: Following[] = []
  const feed = new RunFeed({
    source: server, timeline, sight: tab, random: () => 0.5,
    onRun: (run) => runs.push(run), onEvents: () => undefined, onConnection: (each) => connections.push(each),
  })
  const done = feed.start()
  const kinds = () => connections.map((each) => each.kind).filter((kind, at, all) => kind !== all[at - 1])
  return { feed, done, timeline, tab, connections, kinds, runs }
}

const seqs = (timeline: Timeline<Numbered>) => timeline.rows.map((each) => each.seq)
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a finished run', () => {
  it('is read whole, page after page, and then left alone', async () => {
    const server = Object.assign(new Server(), { total: 2345, status: 'COMPLETED' as const })
    const { done, timeline, kinds, tab } = follow(server)
    await done
    expect([timeline.cursor, server.pages, server.streams]).toEqual([2345, 3, 0])
    expect(kinds()).toEqual(['connecting', 'ended'])
    expect(tab.listeners).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is asked for its tail where it ends between the last page and the question how it is', async () => {
    const server = Object.assign(new Server(), { total: 3 })
    const answer = server.run.bind(server)
    server.run = () => {
      Object.assign(server, { total: 12, status: 'COMPLETED' })
      return answer()
    }
    const { done, timeline } = follow(server)
    await done
    expect(seqs(timeline)).toEqual(upTo(12))
  })

  it('that does not give what it told of is asked again later, not without end', async () => {
    const server = Object.assign(new Server(), { total: 3, status: 'COMPLETED' as const })
    server.run = () => Promise.resolve({ status: 'COMPLETED', last_seq: 5 })
    const { feed, connections } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    expect(connections.at(-1)).toMatchObject({ kind: 'reconnecting', attempt: 1 })
    expect(server.pages).toBeLessThanOrEqual(2)
    feed.stop()
  })

  it('shows what retention took', async () => {
    const server = Object.assign(new Server(), { total: 20, status: 'FAILED' as const, prunedBefore: 11 })
    const { done, timeline } = follow(server)
    await done
    expect(timeline.notices).toEqual([{ from: 1, to: 10 }])
    expect(timeline.first).toBe(11)
  })
})

describe('a live run', () => {
  it('goes on from the stream, and fetches the tail when its end comes first', async () => {
    const server = Object.assign(new Server(), { total: 3 })
    server.streaming = () => {
      Object.assign(server, { total: 9, status: 'COMPLETED' })
      return says('retry: 1000\n\n', frame(4), 'event: end\ndata: {"status":"COMPLETED","last_seq":9}\n\n')
    }
    const { done, timeline, kinds } = follow(server)
    await done
    expect(seqs(timeline)).toEqual(upTo(9))
    expect(kinds()).toEqual(['connecting', 'live', 'ended'])
  })

  it('takes a reported event called `end` for what it is', async () => {
    const server = new Server()
    server.streaming = (_, signal) => saysAndStays(signal, 'id: 1\nevent: end\ndata: {"seq":1}\n\n', frame(2))
    const { feed, timeline } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    expect(seqs(timeline)).toEqual([1, 2])
    feed.stop()
  })

  it('fills a gap from pages before it shows what lies behind', async () => {
    const server = Object.assign(new Server(), { total: 1 })
    server.streaming = (after, signal) => {
      server.total = 5
      return after === 1 ? saysAndStays(signal, frame(5)) : saysAndStays(signal, ': \n\n')
    }
    const { feed, timeline } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    expect(seqs(timeline)).toEqual(upTo(5))
    feed.stop()
  })

  it('is given up by the watchdog when the stream falls silent, and taken up again', async () => {
    const server = new Server()
    server.streaming = (_, signal) => saysAndStays(signal, ': \n\n')
    const { feed, connections } = follow(server)
    await vi.advanceTimersByTimeAsync(TIMES.silent + 1000)
    expect(connections).toContainEqual(expect.objectContaining({ kind: 'reconnecting', attempt: 1 }))
    expect(server.streams).toBe(2)
    feed.stop()
    await vi.advanceTimersByTimeAsync(1)
    expect([server.open, vi.getTimerCount()]).toEqual([0, 0])
  })

  it('streams again after the server was away, however often: that is no reason to poll', async () => {
    const server = new Server()
    let cut: () => void = () => undefined
    server.streaming = async function* (_, signal) {
      yield text.encode(': \n\n')
      await new Promise<void>((resolve) => {
        cut = resolve
        signal.addEventListener('abort', () => resolve())
      })
    }
    const { feed, connections } = follow(server)
    for (let kill = 0; kill < 4; kill++) {
      await vi.advanceTimersByTimeAsync(1500)
      server.broken = new TypeError('Failed to fetch')
      cut()
      await vi.advanceTimersByTimeAsync(6000)
      server.broken = null
      server.total += 3
      await vi.advanceTimersByTimeAsync(8000)
      expect(connections.at(-1)?.kind).toBe('live')
    }
    expect(connections.map((each) => each.kind)).not.toContain('polling')
    feed.stop()
  })

  it('ends within the time-out where a request is never answered', async () => {
    const server = new Server()
    server.run = () => new Promise(() => undefined)
    const { feed, connections } = follow(server)
    await vi.advanceTimersByTimeAsync(10_400)
    expect(connections.at(-1)?.kind).toBe('reconnecting')
    feed.stop()
  })

  it('loses and doubles nothing however its stream breaks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(6), fc.nat(4), fc.nat(3)), { minLength: 1, maxLength: 12 }), async (breaks) => {
        const server = Object.assign(new Server(), { total: 1 })
        const left = [...breaks]
        server.streaming = (after) => {
          const next = left.shift()
          if (!next) server.status = 'COMPLETED'
          const [grown, lost, again] = next ?? [0, 0, 0]
          const sent = Array.from({ length: grown }, (_, at) => after + 1 + at).filter((seq) => seq % 5 !== lost)
          server.total = Math.max(server.total, after + grown)
          return says(...upTo(again).filter((seq) => seq <= server.total).map(frame), ...sent.map(frame))
        }
        const { done, timeline } = follow(server)
        await vi.advanceTimersByTimeAsync(1_200_000)
        await done
        expect(seqs(timeline)).toEqual(upTo(server.total))
        expect(server.most).toBe(1)
      }),
      { numRuns: 40 },
    )
  })
})

describe('where streams do not get through', () => {
  it('polls after three failures, without overlap, and tries a stream once a minute', async () => {
    const server = new Server()
    const { feed, kinds } = follow(server)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(kinds().at(-1)).toBe('polling')
    expect(server.streams).toBe(3)
    server.total = 7
    await vi.advanceTimersByTimeAsync(10_000)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.streams).toBe(4)
    expect(server.most).toBe(1)
    feed.stop()
  })

  it('polls at once where a proxy keeps the bytes back', async () => {
    const server = new Server()
    server.streaming = (_, signal) => saysAndStays(signal)
    const { feed, connections } = follow(server)
    await vi.advanceTimersByTimeAsync(TIMES.firstByte + 16_000)
    expect(connections.at(-1)?.kind).toBe('polling')
    expect(server.streams).toBe(1)
    feed.stop()
  })

  it('polls fast on news and slower without', async () => {
    const server = new Server()
    const { feed, timeline } = follow(server)
    await vi.advanceTimersByTimeAsync(20_000)
    const before = server.pages
    await vi.advanceTimersByTimeAsync(20_000)
    expect(server.pages - before).toBeLessThanOrEqual(3)
    server.total = 4
    await vi.advanceTimersByTimeAsync(10_000)
    expect(timeline.cursor).toBe(4)
    feed.stop()
  })
})

describe('a hidden tab', () => {
  it('closes its stream after half a minute, asks nothing, and goes on where it was', async () => {
    const server = Object.assign(new Server(), { total: 2 })
    server.streaming = (_, signal) => saysAndStays(signal, ': \n\n')
    const { feed, tab, timeline, kinds } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    tab.turn(true)
    await vi.advanceTimersByTimeAsync(TIMES.hidden + 10)
    expect([server.open, kinds().at(-1)]).toEqual([0, 'hidden'])
    const asked = server.pages + server.streams
    server.total = 8
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(server.pages + server.streams).toBe(asked)
    tab.turn(false)
    await vi.advanceTimersByTimeAsync(10)
    expect(seqs(timeline)).toEqual(upTo(8))
    expect([server.open, kinds().at(-1)]).toEqual([1, 'live'])
    feed.stop()
  })

  it('that comes back soon notices nothing', async () => {
    const server = new Server()
    server.streaming = (_, signal) => saysAndStays(signal, ': \n\n')
    const { feed, tab } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    tab.turn(true)
    await vi.advanceTimersByTimeAsync(TIMES.hidden - 100)
    tab.turn(false)
    await vi.advanceTimersByTimeAsync(200)
    expect([server.streams, server.open]).toEqual([1, 1])
    feed.stop()
  })
})

describe('an end', () => {
  it.each([401, 403, 404, 410])('is a refusal with %i, which is not asked again', async (status) => {
    const server = Object.assign(new Server(), { broken: new Refused(status, 'x', 'no', 'req-1', null) })
    const { done, connections } = follow(server)
    await done
    expect(connections.at(-1)).toMatchObject({ kind: 'refused', problem: { status, requestId: 'req-1' } })
    expect(server.pages).toBe(1)
  })

  it('is no refusal with 503, which is asked again when the server said', async () => {
    const server = Object.assign(new Server(), { broken: new Refused(503, 'unavailable', 'stopping', null, 7000) })
    const { feed } = follow(server)
    await vi.advanceTimersByTimeAsync(6900)
    expect(server.pages).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(server.pages).toBe(2)
    feed.stop()
  })

  it('is a stop, after which nothing is said and nothing is left', async () => {
    const server = new Server()
    server.streaming = (_, signal) => saysAndStays(signal, frame(1))
    const { feed, done, connections, tab } = follow(server)
    await vi.advanceTimersByTimeAsync(10)
    const said = connections.length
    feed.stop()
    await done
    expect([connections.length, server.open, tab.listeners, vi.getTimerCount()]).toEqual([said, 0, 0, 0])
  })
})
