import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ansi, plain, type Span, visible } from './ansi'

const E = '\x1b'

describe('colours', () => {
  it.each<[string, Span[]]>([
    ['plain', [{ text: 'plain', style: {} }]],
    [`${E}[31mred${E}[0m no`, [{ text: 'red', style: { color: 'red' } }, { text: ' no', style: {} }]],
    [`${E}[1;92mok`, [{ text: 'ok', style: { bold: true, color: 'bright-green' } }]],
    [`${E}[44;103mb`, [{ text: 'b', style: { background: 'bright-yellow' } }]],
    [`${E}[38;5;196mx`, [{ text: 'x', style: { color: '#ff0000' } }]],
    [`${E}[38;5;9mx`, [{ text: 'x', style: { color: 'bright-red' } }]],
    [`${E}[48;5;244mx`, [{ text: 'x', style: { background: '#808080' } }]],
    [`${E}[38;2;1;2;255mx`, [{ text: 'x', style: { color: '#0102ff' } }]],
    [`${E}[38:2::1:2:3mx`, [{ text: 'x', style: { color: '#010203' } }]],
    [`${E}[38;2;1;2;3;1mx`, [{ text: 'x', style: { color: '#010203', bold: true } }]],
    [`${E}[38;5;999mx`, [{ text: 'x', style: {} }]],
    [`${E}[1m${E}[3mx${E}[22my`, [{ text: 'x', style: { bold: true, italic: true } }, { text: 'y', style: { italic: true } }]],
    [`${E}[31m${E}[mx`, [{ text: 'x', style: {} }]],
    [`${E}[>4;1mx`, [{ text: 'x', style: {} }]],
  ])('of %j', (text, spans) => {
    expect(ansi(text).spans).toEqual(spans)
  })

  it('go on in the next line', () => {
    const first = ansi(`${E}[35mone`)
    expect(ansi('two', first.style).spans).toEqual([{ text: 'two', style: { color: 'magenta' } }])
  })
})

describe('what is taken away', () => {
  it.each([
    [`a${E}]0;title\x07b`, 'ab'],
    [`a${E}]52;c;c2VjcmV0${E}\\b`, 'ab'],
    [`${E}]8;;https://x.example${E}\\link${E}]8;;${E}\\`, 'link'],
    [`a${E}]0;never ended`, 'a'],
    [`a${E}]0;cut short${E}[31mb`, 'ab'],
    [`a${E}Pq#0${E}\\b`, 'ab'],
    [`a\x9d0;t\x9cb`, 'ab'],
    [`a${E}[2Jb${E}[10;20Hc${E}[?25l`, 'abc'],
    [`a${E}(Bb${E}7c`, 'abc'],
    ['a\x00b\x08c\x7f', 'abc'],
    ['10%\r50%\r100%', '100%'],
    ['windows\r', 'windows'],
    [`x${E}`, 'x'],
    [`x${E}[12;`, 'x'],
  ])('%j reads %j', (text, shown) => {
    expect(plain(text)).toBe(shown)
  })

  it('shows what turns the direction of reading', () => {
    expect(visible('a\u202eb')).toBe('a⟨U+202E⟩b')
    expect(plain('\u2066x')).toBe('⟨U+2066⟩x')
  })

  it('keeps tabs, markup and every script as text', () => {
    const text = '\t<script>alert(1)</script> 日本 é 😀'
    expect(plain(text)).toBe(text)
  })
})

it('lets no control character through, and reads any line', () => {
  const piece = fc.constantFrom(E, '[', ']', '0', ';', 'm', 'P', '\\', '\x07', '\x9c', '\x9b', '\x9d', 'a', '38', '2', '5', ':', '\r', ' ')
  const line = fc.oneof(fc.string({ unit: 'binary' }), fc.array(piece, { maxLength: 40 }).map((each) => each.join('')))
  fc.assert(
    fc.property(line, (text) => {
      expect(plain(text)).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/)
    }),
    { numRuns: 1000 },
  )
})

it.each([`${E}]`, `${E}[`, `${E}P`, '\r', `${E}[31m`, 'x'])('reads 200,000 characters of %j in linear time', (piece) => {
  const begun = performance.now()
  ansi(piece.repeat(200_000 / piece.length))
  expect(performance.now() - begun).toBeLessThan(1500)
})
