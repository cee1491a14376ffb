import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Refused } from './http'
import { type News, RunsFeed, TIMES } from './runs-feed'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Script = 'open' | 'break' | 'silent' | Refused

/** A server whose streams go as written, one word for each, and whose probes answer what is set. */
class FakeServer {
  mark = 'a'
  isDown = false
  streams = 0
  #push: ((text: string) => void) | null = null

  constructor(private readonly script: Script[]) {}

  probe = () => (this.isDown ? Promise.reject(new TypeError('down')) : Promise.resolve(this.mark))

  stream = (signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> => {
    this.streams++
    const how = this.script.length > 1 ? this.script.shift() : this.script[0]
    if (how instanceof Refused) return Promise.reject(how)
    return Promise.resolve(this.#chunks(how ?? 'open', signal))
  }

  send(text: string): void {
    this.#push?.(text)
  }

  async *#chunks(how: 'open' | 'break' | 'silent', signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (how === 'break') return
    const queue: string[] = how === 'open' ? ['retry: 1000\n\nevent: resync\ndata: {}\n\n'] : []
    for (;;) {
      const text = queue.shift() ?? (await new Promise<string | null>((resolve) => {
        this.#push = resolve
        signal.addEventListener('abort', () => resolve(null))
      }))
      if (text === null || text === '') return
      yield new TextEncoder().encode(text)
    }
  }
}

function follow(server: FakeServer) {
  const news: News[] = []
  const feed = new RunsFeed({ source: server, onNews: (each) => news.push(each), random: () => 0 })
  const done = feed.start()
  const states = () => news.flatMap((each) => (each.kind === 'state' ? each.state.kind : []))
  return { feed, news, done, states, last: () => states().at(-1) }
}

it('streams, and gives hints as they come', async () => {
  const server = new FakeServer(['open'])
  const { feed, news, last } = follow(server)
  await vi.advanceTimersByTimeAsync(0)
  expect(last()).toBe('live')
  server.send('event: run\ndata: {"id":7,"run":null}\n\n')
  await vi.advanceTimersByTimeAsync(0)
  expect(news.filter((each) => each.kind !== 'state')).toEqual([{ kind: 'resync' }, { kind: 'run', id: 7, run: null }])
  feed.stop()
})

it('reconnects after a break, and everything is read again', async () => {
  const server = new FakeServer(['open'])
  const { feed, news, last } = follow(server)
  await vi.advanceTimersByTimeAsync(2000)
  server.isDown = true
  server.send('')
  await vi.advanceTimersByTimeAsync(3000)
  expect(last()).toBe('reconnecting')
  server.isDown = false
  await vi.advanceTimersByTimeAsync(4000)
  expect([last(), server.streams, news.filter((each) => each.kind === 'resync').length]).toEqual(['live', 2, 2])
  feed.stop()
})

it('polls where streams break three times although the server answers, and tries again after a minute', async () => {
  const server = new FakeServer(['break', 'break', 'break', 'open'])
  const { feed, news, last } = follow(server)
  await vi.advanceTimersByTimeAsync(5000)
  expect(last()).toBe('polling')
  const before = news.filter((each) => each.kind === 'resync').length
  server.mark = 'b'
  await vi.advanceTimersByTimeAsync(11_000)
  expect(news.filter((each) => each.kind === 'resync').length).toBe(before + 1)
  await vi.advanceTimersByTimeAsync(TIMES.streamAgain)
  expect([last(), server.streams]).toEqual(['live', 4])
  feed.stop()
})

it('polls at once where the first byte is held back', async () => {
  const server = new FakeServer(['silent'])
  const { feed, last } = follow(server)
  await vi.advanceTimersByTimeAsync(TIMES.firstByte + 1000)
  expect([last(), server.streams]).toEqual(['polling', 1])
  feed.stop()
})

it('takes a stream that has gone silent for broken', async () => {
  const server = new FakeServer(['open'])
  const { feed, states } = follow(server)
  await vi.advanceTimersByTimeAsync(TIMES.silent + 1000)
  expect(states()).toContain('reconnecting')
  expect(server.streams).toBe(2)
  feed.stop()
})

it('asks anew when the network changed, without taking it for a failure of streams', async () => {
  const server = new FakeServer(['open'])
  const { feed, states, last } = follow(server)
  await vi.advanceTimersByTimeAsync(0)
  for (let at = 0; at < 4; at++) {
    feed.recheck()
    await vi.advanceTimersByTimeAsync(0)
  }
  expect([last(), states().includes('reconnecting'), server.streams]).toEqual(['live', false, 5])
  feed.stop()
})

it('ends where the server refuses for good', async () => {
  const server = new FakeServer([new Refused(401, 'unauthorized', 'Sign in.', null, null)])
  const { done, news } = follow(server)
  await done
  expect(news.at(-1)).toEqual({ kind: 'state', state: { kind: 'refused', status: 401, detail: 'Sign in.' } })
})

it('says nothing more once it is stopped', async () => {
  const server = new FakeServer(['open'])
  const { feed, news, done } = follow(server)
  await vi.advanceTimersByTimeAsync(0)
  feed.stop()
  const count = news.length
  await done
  expect([news.length, vi.getTimerCount()]).toEqual([count, 0])
})
