import { expect, it, vi } from 'vitest'
import type { Channel, Locks, Shared } from './leader'
import { Live, type Told } from './live'
import type { Chunk } from './run-hub'
import type { Wish } from './run-topics'
import { RunsFeed } from './runs-feed'

const text = new TextEncoder()

/** A browser with one lock and one channel, and a server that counts its streams. */
function browser() {
  const channels = new Set<Channel<Shared<Told, Wish>>>()
  const waiting: (() => void)[] = []
  let isHeld = false
  const grant = () => { if (!isHeld) waiting.shift()?.() }
  const locks: Locks = {
    request: (_, { signal }, held) => new Promise((resolve, reject) => {
      const take = () => { isHeld = true; void held().then(() => { isHeld = false; grant(); resolve(undefined) }) }
      signal.addEventListener('abort', () => { if (waiting.includes(take)) waiting.splice(waiting.indexOf(take), 1); reject(new DOMException('gone', 'AbortError')) })
      waiting.push(take)
      grant()
    }),
  }
  const open = (): Channel<Shared<Told, Wish>> => {
    const channel: Channel<Shared<Told, Wish>> = {
      onmessage: null, close: () => void channels.delete(channel),
      postMessage: (data) => channels.forEach((each) => each !== channel && each.onmessage?.(new MessageEvent('message', { data }))),
    }
    channels.add(channel)
    return channel
  }
  const streams: { topics: readonly string[]; say: (text: string) => void }[] = []
  async function* stream(topics: readonly string[], signal: AbortSignal) {
    const lines = ['event: resync\ndata: {}\n\n']
    let wake: () => void = () => undefined
    const mine = { topics, say: (line: string) => { lines.push(line); wake() } }
    streams.push(mine)
    signal.addEventListener('abort', () => wake())
    while (!signal.aborted) {
      const next = lines.shift()
      if (next === undefined) await new Promise<void>((resolve) => { wake = resolve })
      else yield text.encode(next)
    }
    streams.splice(streams.indexOf(mine), 1)
  }
  const tab = () => {
    const live = new Live({
      sight: { isHidden: false, listen: () => () => undefined }, locks, open,
      feed: (onNews, topics) => new RunsFeed({ onNews, topics, source: { probe: () => Promise.resolve(''), stream: (signal, wanted) => Promise.resolve(stream(wanted, signal)) } }),
    })
    live.start()
    return live
  }
  return { tab, streams }
}

function watching(live: Live, id: number, after: number) {
  const seen: number[] = []
  const own = vi.fn<() => Promise<AsyncIterable<Uint8Array>>>(() => Promise.reject(new TypeError('none of its own')))
  const take = (chunk: Chunk) => { if (!(chunk instanceof Uint8Array)) seen.push(...chunk.map((each) => Number(each.id))) }
  const done = (async () => { for await (const chunk of live.runs.stream(id, after, own, new AbortController().signal)) take(chunk) })()
  done.catch(() => undefined)
  return { seen, own }
}

const event = (run: number, seq: number) => `event: event\ndata: ${JSON.stringify({ run_id: run, seq, type: 'log' })}\n\n`

it('has one stream for the runs of all tabs, also once the tab that led is gone', async () => {
  const { tab, streams } = browser()
  const [first, second] = [tab(), tab()]
  const [one, two] = [watching(first, 1, 5), watching(second, 2, 0)]
  await vi.waitFor(() => expect(streams.map((each) => each.topics)).toEqual([['run:1@5', 'run:2@0']]))
  streams[0]?.say(event(1, 6) + event(2, 1))
  await vi.waitFor(() => expect([one.seen, two.seen]).toEqual([[6], [1]]))
  first.stop()
  await vi.waitFor(() => expect(streams.map((each) => each.topics)).toEqual([['run:2@1']]))
  streams[0]?.say(event(2, 2))
  await vi.waitFor(() => expect(two.seen).toEqual([1, 2]))
  expect([one.own.mock.calls.length, two.own.mock.calls.length]).toEqual([0, 0])
  second.stop()
})
