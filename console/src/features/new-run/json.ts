/** JSON as a person types it: the object, or what is wrong and where. */

/** `line` and `column` count from 1. */
export interface Mistake {
  readonly message: string
  readonly line: number
  readonly column: number
}

export type Read = { readonly value: Record<string, unknown> } | { readonly mistake: Mistake }

const MOST_DEPTH = 100
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /(?:true|false|null)(?![A-Za-z0-9_])/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y

class Wrong extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message)
  }
}

/** Read an object; nothing at all is an empty one. Browsers word mistakes differently or leave out the place. */
export function readObject(text: string): Read {
  if (text.trim() === '') return { value: {} }
  try {
    new Scanner(text).document()
    return { value: JSON.parse(text) as Record<string, unknown> }
  } catch (error) {
    if (error instanceof Wrong) return { mistake: { message: error.message, ...place(text, error.at) } }
    throw error
  }
}

/** `Line 2, column 5: …` */
export function worded({ message, line, column }: Mistake): string {
  return `Line ${line}, column ${column}: ${message}`
}

function place(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

class Scanner {
  #at = 0

  constructor(private readonly text: string) {}

  document(): void {
    this.#blanks()
    if (this.#peek() !== '{') throw new Wrong('An object is needed, such as {"team": "web"}.', this.#at)
    this.#value(0)
    this.#blanks()
    if (this.#at < this.text.length) throw new Wrong('Nothing may follow the closing brace.', this.#at)
  }

  #peek(): string {
    return this.text.charAt(this.#at)
  }

  #blanks(): void {
    while (/[ \t\r\n]/.test(this.#peek())) this.#at++
  }

  #value(depth: number): void {
    if (depth > MOST_DEPTH) throw new Wrong(`This is nested deeper than ${MOST_DEPTH} levels.`, this.#at)
    const next = this.#peek()
    if (next === '{') this.#object(depth)
    else if (next === '[') this.#array(depth)
    else if (next === '"') this.#string()
    else if (/[-0-9]/.test(next)) this.#number()
    else if (this.#matched(WORD) === null) throw new Wrong(expected(next), this.#at)
  }

  #object(depth: number): void {
    const names = new Set<string>()
    this.#list('}', 'A closing } is missing.', () => {
      const start = this.#at
      if (this.#peek() !== '"') throw new Wrong(this.#peek() === '}' ? 'There is a comma too many before this.' : 'A name in double quotes is needed.', start)
      const name = JSON.parse(this.#string()) as string
      if (names.has(name)) throw new Wrong(`"${name.slice(0, 50)}" is here already.`, start)
      names.add(name)
      this.#blanks()
      if (this.#peek() !== ':') throw new Wrong('A colon is missing behind the name.', this.#at)
      this.#at++
      this.#blanks()
      this.#value(depth + 1)
    })
  }

  #array(depth: number): void {
    this.#list(']', 'A closing ] is missing.', () => {
      if (this.#peek() === ']') throw new Wrong('There is a comma too many before this.', this.#at)
      this.#value(depth + 1)
    })
  }

  #list(close: string, missing: string, item: () => void): void {
    this.#at++
    this.#blanks()
    if (this.#peek() === close) {
      this.#at++
      return
    }
    for (;;) {
      if (this.#peek() === '') throw new Wrong(missing, this.#at)
      item()
      this.#blanks()
      const next = this.#peek()
      if (next !== ',' && next !== close) throw new Wrong(next === '' ? missing : 'A comma is missing before this.', this.#at)
      this.#at++
      if (next === close) return
      this.#blanks()
    }
  }

  #string(): string {
    const start = this.#at
    const found = this.#matched(STRING)
    if (found === null) throw new Wrong('This text is not closed on its line, or has a backslash that means nothing.', start)
    if (found.includes('\\u0000')) throw new Wrong('This text contains a NUL character; leave it out.', start)
    return found
  }

  #number(): void {
    const start = this.#at
    const found = this.#matched(NUMBER)
    if (found === null || /[0-9A-Za-z_.]/.test(this.#peek())) throw new Wrong('This is no number; text goes in double quotes.', start)
    const value = Number(found)
    if (!Number.isFinite(value) || (/^-?[0-9]+$/.test(found) && !Number.isSafeInteger(value)))
      throw new Wrong('A browser cannot keep this number exactly; put it in double quotes.', start)
  }

  #matched(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.text)?.[0] ?? null
    if (found !== null) this.#at += found.length
    return found
  }
}

function expected(next: string): string {
  if (next === '') return 'A value is missing.'
  if (next === "'") return 'Text goes in double quotes.'
  return 'This is no value; text goes in double quotes.'
}
