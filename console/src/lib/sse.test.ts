import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Frame, FrameTooLong, MAX_FRAME, SseParser } from './sse'

const bytes = (text: string) => new TextEncoder().encode(text)

function parsed(text: string, cuts: readonly number[] = []): Frame[] {
  const parser = new SseParser()
  const all = bytes(text)
  const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length]
  return places.slice(1).flatMap((end, index) => parser.push(all.subarray(places[index], end)))
}

describe('SseParser', () => {
  it.each<[string, string, Frame[]]>([
    ['an event', 'id: 3\nevent: log\ndata: {}\n\n', [{ event: 'log', data: '{}', id: '3' }]],
    ['no name', 'data: a\n\n', [{ event: 'message', data: 'a', id: null }]],
    ['several lines', 'data: a\ndata:b\ndata\n\n', [{ event: 'message', data: 'a\nb\n', id: null }]],
    ['a comment', ': \n\n:x\ndata: a\n\n', [{ event: 'message', data: 'a', id: null }]],
    ['CRLF', 'event: a\r\ndata: 1\r\n\r\n', [{ event: 'a', data: '1', id: null }]],
    ['CR', 'event: a\rdata: 1\r\r', [{ event: 'a', data: '1', id: null }]],
    ['an unfinished one', 'data: a\n', []],
    ['only a name', 'event: end\n\ndata: a\n\n', [{ event: 'message', data: 'a', id: null }]],
    ['NUL in the id', 'id: a\0\ndata: a\n\n', [{ event: 'message', data: 'a', id: null }]],
    ['an id of its own frame only', 'id: 1\ndata: a\n\ndata: b\n\n', [
      { event: 'message', data: 'a', id: '1' },
      { event: 'message', data: 'b', id: null },
    ]],
  ])('reads %s', (_, text, frames) => {
    expect(parsed(text)).toEqual(frames)
  })

  it('keeps what the server asks for as the time to wait', () => {
    const parser = new SseParser()
    parser.push(bytes('retry: 1000\n\nretry: soon\n\n'))
    expect(parser.retryMs).toBe(1000)
  })

  it('reads the same frames wherever the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0]/g, ''))
    const frame = fc.record({ event: line, data: line, id: fc.nat() })
    const end = fc.constantFrom('\n', '\r\n', '\r')
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), end, fc.array(fc.nat(), { maxLength: 12 }), (frames, eol, cuts) => {
        const text = frames.map((each) => [`id: ${each.id}`, `event: ${each.event}`, `data: ${each.data}`, '', ''].join(eol))
        const found = parsed(text.join(''), cuts)
        expect(found).toEqual(frames.map((each) => ({ event: each.event || 'message', data: each.data, id: String(each.id) })))
      }),
    )
  })

  it('refuses a frame without an end', () => {
    const parser = new SseParser()
    const chunk = bytes(`data: ${'x'.repeat(MAX_FRAME / 4)}`)
    expect(() => Array.from({ length: 5 }, () => parser.push(chunk))).toThrow(FrameTooLong)
  })
})
