import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AGAIN, type Chunk, RunHub, WAIT_MS } from './run-hub'
import type { Wish } from './run-topics'
import type { Frame } from './sse'

const event = (seq: number): Frame => ({ event: 'event', data: `{"seq":${seq}}`, id: String(seq) })
const told = (event: string, data: object = {}): Frame => ({ event, data: JSON.stringify(data), id: null })

function tab() {
  const wishes: Wish[] = []
  const hub = new RunHub((wish) => wishes.push(wish))
  hub.join()
  const own = vi.fn<(after: number, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>>(() => Promise.resolve(one()))
  async function* one() {
    yield new Uint8Array([1])
    await new Promise<void>((resolve) => { more = resolve })
    yield new Uint8Array([2])
  }
  let more: () => void = () => undefined
  const read = (after: number) => {
    const stop = new AbortController()
    const chunks: Chunk[] = []
    const done = (async () => { for await (const chunk of hub.stream(1, after, own, stop.signal)) chunks.push(chunk) })()
    return { chunks, stop, done: done.then(() => 'over', (error: unknown) => String(error)), seqs: () => chunks.flatMap((each) => (each instanceof Uint8Array ? [] : each)).map((each) => (each === AGAIN ? 'again' : Number(each.id))) }
  }
  return { hub, wishes, own, read, more: () => more() }
}

const turns = () => vi.advanceTimersByTimeAsync(1)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('reads what the leader tells of a run, each event once', async () => {
  const { hub, wishes, own, read } = tab()
  const reader = read(5)
  await turns()
  expect(wishes.at(-1)?.runs).toEqual([[1, 5]])
  hub.told({ kind: 'watching', runs: [[1, 5]] })
  hub.told({ kind: 'frames', id: 1, frames: [event(6), event(7)] })
  hub.told({ kind: 'frames', id: 2, frames: [event(99)] })
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 5], [2, 0]] })
  hub.told({ kind: 'frames', id: 1, frames: [event(6), event(7), event(8)] })
  await turns()
  expect([reader.seqs(), own.mock.calls.length]).toEqual([[6, 7, 8], 0])
  reader.stop.abort()
  expect(await reader.done).toBe('over')
})

it('asks for pages where the stream is further already, and goes on with what came meanwhile', async () => {
  const { hub, read } = tab()
  const first = read(5)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 40]] })
  expect([await first.done, first.seqs()]).toEqual(['over', ['again']])
  hub.told({ kind: 'frames', id: 1, frames: [event(41), event(42), event(43)] })
  const second = read(42)
  await turns()
  expect(second.seqs()).toEqual([43])
})

it('asks for pages where the server told only a part, and where a frame was lost', async () => {
  const { hub, read } = tab()
  const reader = read(0)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 0]] })
  await turns()
  hub.told({ kind: 'frames', id: 1, frames: [told('lagged', { run_id: 1, after: 0, last_seq: 5000 })] })
  expect([await reader.done, reader.seqs()]).toEqual(['over', ['again']])
  const second = read(5000)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 5100]] })
  expect([await second.done, second.seqs()]).toEqual(['over', ['again']])
})

it('breaks as the stream does, with all that came before', async () => {
  const { hub, read } = tab()
  const reader = read(0)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 0]] })
  await turns()
  hub.told({ kind: 'frames', id: 1, frames: [event(1)] })
  hub.told({ kind: 'down' })
  expect([await reader.done, reader.seqs()]).toEqual(['TypeError: The stream broke.', [1]])
})

it('ends with the end, which is read', async () => {
  const { hub, read } = tab()
  const reader = read(0)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 0]] })
  await turns()
  hub.told({ kind: 'frames', id: 1, frames: [event(1), told('end')] })
  await reader.done
  expect(reader.chunks.flat().map((each) => (each as Frame).event)).toEqual(['event', 'end'])
})

it('reads a stream of its own where the leader does not bring the run, until it does', async () => {
  const { hub, own, read, more } = tab()
  const reader = read(3)
  await vi.advanceTimersByTimeAsync(WAIT_MS + 1)
  expect([own.mock.calls.length, reader.chunks.length]).toEqual([1, 1])
  hub.told({ kind: 'watching', runs: [[1, 3]] })
  more()
  expect([await reader.done, reader.seqs()]).toEqual(['over', ['again']])
})

it('does not wait for a leader whose stream is down, or where the tab takes no part', async () => {
  const { hub, own, read } = tab()
  hub.told({ kind: 'down' })
  read(3)
  await turns()
  expect(own).toHaveBeenCalledOnce()
  hub.join()
  hub.leave()
  read(3)
  await turns()
  expect(own).toHaveBeenCalledTimes(2)
})

it('is alive as long as the leader is, and says again now and then what it watches', async () => {
  const { hub, wishes, read } = tab()
  const reader = read(0)
  await turns()
  hub.told({ kind: 'watching', runs: [[1, 0]] })
  await turns()
  const before = reader.chunks.length
  hub.told({ kind: 'beat' })
  await turns()
  expect(reader.chunks.length).toBe(before + 1)
  const said = wishes.length
  await vi.advanceTimersByTimeAsync(31_000)
  hub.told({ kind: 'ask' })
  expect(wishes.length).toBe(said + 3)
  reader.stop.abort()
  await vi.advanceTimersByTimeAsync(5000)
  expect(wishes.at(-1)?.runs).toEqual([])
})
