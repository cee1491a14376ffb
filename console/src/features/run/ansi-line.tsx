/** A program's line as text nodes with its colours, kept readable on both themes. */
import type { CSSProperties } from 'react'
import { ansi, type Style } from '@/lib/ansi'

/** More of a line than this is shown on demand only. */
export const MOST_SHOWN = 4096

// The page's own tones, each of which is readable on its surface.
const NAMED: Readonly<Record<string, string>> = {
  black: 'var(--ink)', red: 'var(--bad)', green: 'var(--good)', yellow: 'var(--attention)', blue: 'var(--accent)', magenta: 'var(--waiting)',
  cyan: 'var(--active)', white: 'var(--ink)', 'bright-black': 'var(--muted)', 'bright-red': 'var(--bad)', 'bright-green': 'var(--good)',
  'bright-yellow': 'var(--attention)', 'bright-blue': 'var(--accent)', 'bright-magenta': 'var(--waiting)', 'bright-cyan': 'var(--active)', 'bright-white': 'var(--ink)',
}

// A colour chosen for another background keeps its hue and gets a lightness that can be read on ours.
const readable = (color: string) => `light-dark(oklch(from ${color} min(l, 0.5) c h), oklch(from ${color} max(l, 0.75) c h))`

function look(style: Style): CSSProperties {
  return { ...colors(style), ...shape(style) }
}

function colors(style: Style): CSSProperties {
  if (style.inverse) return { background: 'var(--ink)', color: 'var(--surface)' }
  if (style.background !== undefined) return { background: `color-mix(in oklab, ${NAMED[style.background] ?? style.background} 25%, var(--surface))`, color: 'var(--ink)' }
  if (style.dim) return { color: 'var(--muted)' }
  return style.color === undefined ? {} : { color: NAMED[style.color] ?? readable(style.color) }
}

function shape(style: Style): CSSProperties {
  const lines = [style.underline ? 'underline' : '', style.strike ? 'line-through' : ''].join(' ').trim()
  return { ...(style.bold ? { fontWeight: 700 } : {}), ...(style.italic ? { fontStyle: 'italic' } : {}), ...(lines ? { textDecorationLine: lines } : {}) }
}

interface AnsiLineProps {
  readonly text: string
  readonly from?: Style
  readonly isWhole?: boolean
  /** What is marked in it, in lower case. */
  readonly mark?: string
}

export function AnsiLine({ text, from, isWhole = false, mark = '' }: AnsiLineProps) {
  const { spans } = ansi(isWhole ? text : text.slice(0, MOST_SHOWN), from)
  return spans.map((span, at) => (
    <span key={at} style={look(span.style)}><Marked text={span.text} mark={mark} /></span>
  ))
}

/** Text in which every place of `mark` stands out. */
export function Marked({ text, mark }: { readonly text: string; readonly mark: string }) {
  if (mark === '') return text
  const lower = text.toLowerCase()
  const parts: React.ReactNode[] = []
  let from = 0
  for (let at = lower.indexOf(mark); at >= 0 && parts.length < 400; at = lower.indexOf(mark, from)) {
    parts.push(text.slice(from, at), <mark key={at} className="bg-attention text-surface">{text.slice(at, at + mark.length)}</mark>)
    from = at + mark.length
  }
  return [...parts, text.slice(from)]
}
