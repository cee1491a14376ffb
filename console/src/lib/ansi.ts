/**
 * A program's line with its colours, as spans of text; nothing of it can act.
 *
 * Only SGR (colour and weight) is understood. OSC, DCS, APC, PM and SOS strings, every other sequence and control
 * characters are taken away: a title, a clipboard write or a hyperlink never leaves the text. Bidirectional controls are
 * shown as their names, since they let a line read other than it is.
 */

/** How a span looks; colours are `red`, `bright-red` or `#rrggbb`. */
export interface Style {
  readonly color?: string
  readonly background?: string
  readonly bold?: true
  readonly dim?: true
  readonly italic?: true
  readonly underline?: true
  readonly strike?: true
  readonly inverse?: true
}

export interface Span {
  readonly text: string
  readonly style: Style
}

/** The spans of a line, and the style that the next one begins with. */
export interface Line {
  readonly spans: readonly Span[]
  readonly style: Style
}

const PLAIN: Style = {}
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const
const LEVELS = [0, 95, 135, 175, 215, 255] as const

// In one pass and without nesting, so that reading takes linear time; an unfinished string ends with the line.
const SEQUENCE = new RegExp(
  [
    '(?:\\x1b\\[|\\x9b)([0-9:;<=>?]*)[ -/]*([@-~]|$)',
    '(?:\\x1b\\]|\\x9d)[^\\x07\\x1b\\x9c]*(?:\\x07|\\x9c|\\x1b\\\\|(?=\\x1b)|$)',
    '(?:\\x1b[PX^_]|[\\x90\\x98\\x9e\\x9f])[^\\x1b\\x9c]*(?:\\x9c|\\x1b\\\\|(?=\\x1b)|$)',
    '\\x1b[ -/]*(?:[0-~]|$)?',
    '[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f]',
  ].join('|'),
  'g',
)
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text in which nothing changes the direction of reading unseen. */
export function visible(text: string): string {
  return text.replace(DIRECTIONS, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
}

/** Read one line, without its end, from the style that the line before left. */
export function ansi(line: string, from: Style = PLAIN): Line {
  const text = overwritten(line)
  const spans: Span[] = []
  let style = from
  let at = 0
  const add = (end: number) => {
    if (end > at) push(spans, visible(text.slice(at, end)), style)
  }
  for (const match of text.matchAll(SEQUENCE)) {
    add(match.index)
    at = match.index + match[0].length
    if (match[2] === 'm') style = select(style, match[1] ?? '')
  }
  add(text.length)
  return { spans, style }
}

/** The line without any colour. */
export function plain(line: string): string {
  return ansi(line).spans.map((each) => each.text).join('')
}

// What a progress bar writes over itself: only what stands last is read.
function overwritten(line: string): string {
  const text = line.replace(/\r+$/, '')
  return text.slice(text.lastIndexOf('\r') + 1)
}

function push(spans: Span[], text: string, style: Style): void {
  const last = spans.at(-1)
  if (last?.style === style) spans[spans.length - 1] = { text: last.text + text, style }
  else spans.push({ text, style })
}

function select(style: Style, parameters: string): Style {
  if (/[<=>?]/.test(parameters)) return style
  const codes = parameters.split(/[;:]/).map((each) => (each === '' ? 0 : Number(each)))
  let found: Style = style
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0
    if (code === 38 || code === 48) {
      const [color, used] = extended(codes, at + 1, parameters.includes(':'))
      if (color) found = { ...found, [code === 38 ? 'color' : 'background']: color }
      at += used
    } else found = applied(found, code)
  }
  return found
}

function extended(codes: readonly number[], at: number, hasColons: boolean): [string | null, number] {
  if (codes[at] === 5) return [palette(codes[at + 1] ?? -1), 2]
  if (codes[at] !== 2) return [null, 1]
  // Written with colons, a colour space may stand before the three parts.
  const start = hasColons && codes.length - at > 4 ? at + 2 : at + 1
  const parts = [0, 1, 2].map((each) => codes[start + each] ?? 0)
  const isColor = parts.every((each) => Number.isInteger(each) && each >= 0 && each <= 255)
  return [isColor ? hex(parts) : null, start + 2 - at + 1]
}

const hex = (parts: readonly number[]) => `#${parts.map((each) => each.toString(16).padStart(2, '0')).join('')}`

function palette(index: number): string | null {
  if (!Number.isInteger(index) || index < 0 || index > 255) return null
  if (index < 16) return named(index)
  if (index >= 232) return hex(Array(3).fill((index - 232) * 10 + 8))
  const cube = index - 16
  return hex([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((each) => LEVELS[each] ?? 0))
}

function named(index: number): string {
  const name = NAMES[index % 8] ?? 'white'
  return index < 8 ? name : `bright-${name}`
}

const ON: Readonly<Record<number, keyof Style>> = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike' }
const OFF: Readonly<Record<number, readonly (keyof Style)[]>> = {
  22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike'], 39: ['color'], 49: ['background'],
}

function applied(style: Style, code: number): Style {
  if (code === 0) return PLAIN
  const on = ON[code]
  if (on) return { ...style, [on]: true }
  const off = OFF[code]
  if (off) return Object.fromEntries(Object.entries(style).filter(([name]) => !off.some((each) => each === name)))
  if (code >= 30 && code <= 37) return { ...style, color: named(code - 30) }
  if (code >= 40 && code <= 47) return { ...style, background: named(code - 40) }
  if (code >= 90 && code <= 97) return { ...style, color: named(code - 82) }
  if (code >= 100 && code <= 107) return { ...style, background: named(code - 92) }
  return style
}
