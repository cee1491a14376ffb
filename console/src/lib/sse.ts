/** Server-sent events read from bytes: fields, frames and the cursor, as the HTML standard defines them. */

/**
 * One frame. `id` is what this frame itself carried, or null.
 *
 * The server gives an `id` to every event of a run and to nothing else, so a reporter's event whose type is `end` or
 * `pruned` is never taken for the frame of that name.
 */
export interface Frame {
  readonly event: string
  readonly data: string
  readonly id: string | null
}

/** A frame larger than this is refused: the server's longest event is far below. */
export const MAX_FRAME = 16 * 1024 * 1024

/** A stream that holds a frame beyond `MAX_FRAME`. */
export class FrameTooLong extends Error {
  override name = 'FrameTooLong'
}

/** Turns chunks of bytes, cut anywhere, into frames; `retryMs` is what the server last asked for. */
export class SseParser {
  retryMs: number | null = null
  readonly #decoder = new TextDecoder()
  #rest = ''
  #searched = 0
  #skipLineFeed = false
  #event = ''
  #data: string[] = []
  #size = 0
  #id: string | null = null

  /** The frames that this chunk completes. Raises `FrameTooLong`. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = []
    this.#rest += this.#decoder.decode(chunk, { stream: true })
    for (let line = this.#line(); line !== null; line = this.#line()) {
      const frame = line === '' ? this.#dispatch() : this.#field(line)
      if (frame) frames.push(frame)
    }
    if (this.#rest.length + this.#size > MAX_FRAME) throw new FrameTooLong('A frame is longer than 16 MiB.')
    return frames
  }

  #line(): string | null {
    if (this.#skipLineFeed && this.#rest !== '') {
      if (this.#rest.startsWith('\n')) this.#rest = this.#rest.slice(1)
      this.#skipLineFeed = false
    }
    const end = endOfLine(this.#rest, this.#searched)
    if (end < 0) {
      this.#searched = this.#rest.length
      return null
    }
    const line = this.#rest.slice(0, end)
    this.#skipLineFeed = this.#rest[end] === '\r'
    this.#rest = this.#rest.slice(end + 1)
    this.#searched = 0
    return line
  }

  #field(line: string): null {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') {
      this.#data.push(value)
      this.#size += value.length
    } else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retryMs = Number(value)
    return null
  }

  #dispatch(): Frame | null {
    const frame = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id }
    const isEmpty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    this.#size = 0
    this.#id = null
    return isEmpty ? null : frame
  }
}

function endOfLine(text: string, from: number): number {
  const lineFeed = text.indexOf('\n', from)
  const before = lineFeed < 0 ? text : text.slice(0, lineFeed)
  const carriageReturn = before.indexOf('\r', from)
  return carriageReturn < 0 ? lineFeed : carriageReturn
}
