/** A stream of server-sent events read to its end, with a watch that cuts one which has gone silent. */
import { TimedOut } from './http'
import { type Frame, SseParser } from './sse'

/** A stream was opened and says nothing: something on the way keeps its bytes back, and will next time. */
export class HeldBack extends TimedOut {
  override name = 'HeldBack'
}

export interface Reading {
  /** Opens the stream; it ends with the signal. */
  readonly open: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>
  /** Every chunk, with the frames that it completes: none for a heartbeat. */
  readonly onFrames: (frames: readonly Frame[]) => void
  readonly firstByteMs: number
  readonly silentMs: number
}

/** Read until the stream ends, which is an error, as are its silence (`TimedOut`, `HeldBack`) and `outer`'s abort. */
export async function readStream(reading: Reading, outer: AbortSignal): Promise<never> {
  outer.throwIfAborted()
  const inner = new AbortController()
  const abort = () => inner.abort(outer.reason)
  outer.addEventListener('abort', abort)
  let timer: ReturnType<typeof setTimeout> | undefined
  const watch = (ms: number, Cause: typeof TimedOut) => {
    clearTimeout(timer)
    timer = setTimeout(() => inner.abort(new Cause(`No byte for ${ms / 1000} s.`)), ms)
  }
  try {
    watch(reading.firstByteMs, HeldBack)
    const chunks = (await orAbort(reading.open(inner.signal), inner.signal))[Symbol.asyncIterator]()
    const parser = new SseParser()
    for (let next = await orAbort(chunks.next(), inner.signal); !next.done; next = await orAbort(chunks.next(), inner.signal)) {
      watch(reading.silentMs, TimedOut)
      reading.onFrames(parser.push(next.value))
    }
    throw new TypeError('The stream broke.')
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', abort)
    inner.abort()
  }
}

/** `work`, or the signal's reason where that comes first: a body is not always let go of by its own abort. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
