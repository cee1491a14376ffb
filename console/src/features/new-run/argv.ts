/** A command line as a person types it, to the list of texts that the server takes, and back. Nothing is expanded. */

/** `at` is the character of the mistake, from 1. */
export type Words = { readonly argv: readonly string[]; readonly operator: string | null } | { readonly mistake: string; readonly at: number }

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/
const OPERATOR = /^(?:\|\|?|&&?|;|<|>>?|\$\(|`|\*)/

/** Split as a shell would, with its quotes and backslashes; `operator` is the first sign that only a shell understands. */
export function split(text: string): Words {
  const argv: string[] = []
  let operator: string | null = null
  let word: string | null = null
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text.charAt(at))) {
      if (word !== null) argv.push(word)
      word = null
      at++
      continue
    }
    const piece = pieceAt(text, at)
    if (typeof piece === 'string') return { mistake: piece, at: at + 1 }
    operator ??= piece.operator
    // Two lines that a backslash joins make no word of their own.
    if (piece.text !== null) word = (word ?? '') + piece.text
    at = piece.end
  }
  if (word !== null) argv.push(word)
  return { argv, operator }
}

interface Piece {
  readonly text: string | null
  readonly end: number
  readonly operator: string | null
}

/** What stands at a place: quotes, what a backslash protects, or one character; a sentence where it is wrong. */
function pieceAt(text: string, at: number): Piece | string {
  const character = text.charAt(at)
  if (character === "'" || character === '"') return inQuotes(text, at) ?? 'These quotes are not closed.'
  if (character !== '\\') return { text: character, end: at + 1, operator: OPERATOR.exec(text.slice(at, at + 2))?.[0] ?? null }
  if (at + 1 >= text.length) return 'Nothing follows this backslash.'
  const next = text.charAt(at + 1)
  return { text: next === '\n' ? null : next, end: at + 2, operator: null }
}

function inQuotes(text: string, start: number): Piece | null {
  const quote = text.charAt(start)
  let found = ''
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === quote) return { text: found, end: at + 1, operator: null }
    const isEscape = quote === '"' && character === '\\' && /["\\$`]/.test(text.charAt(at + 1))
    if (isEscape) at++
    found += text.charAt(at)
  }
  return null
}

/** Words as a line that `split` reads as the same words. */
export function join(argv: readonly string[]): string {
  return argv.map((word) => (PLAIN.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`)).join(' ')
}
