/** Values in one line of bounded length, however large they are. */

/** The beginning of a text with its line ends shown as blanks. */
export function oneLine(text: string, most = 400): string {
  const cut = text.length > most * 2 ? text.slice(0, most * 2) : text
  const line = cut.replace(/\s+/g, ' ').trim()
  return line.length > most || cut.length < text.length ? `${line.slice(0, most)}…` : line
}

/** A value as JSON would have it, cut: reads no more of it than is shown. */
export function brief(value: unknown, most = 200): string {
  if (typeof value === 'string') return oneLine(value, most)
  if (typeof value !== 'object' || value === null) return String(value)
  const isList = Array.isArray(value)
  const parts: string[] = []
  let left = most
  for (const [name, inner] of Object.entries(value)) {
    if (left <= 0 || parts.length >= 12) {
      parts.push('…')
      break
    }
    const text = nested(inner, Math.min(left, 120))
    const part = isList ? text : `${name}: ${text}`
    parts.push(part)
    left -= part.length
  }
  return isList ? `[${parts.join(', ')}]` : parts.join(' · ')
}

function nested(value: unknown, most: number): string {
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) return `{${Object.keys(value).slice(0, 4).join(', ')}}`
  return typeof value === 'string' ? oneLine(value, most) : String(value)
}
