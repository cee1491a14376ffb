/**
 * The query grammar that API, command line and console share: `status:failed,stopped agent:claude "two words"`.
 *
 * The server decides; this copy marks a mistake while it is typed and writes canonical text for links. It is held to
 * the server's own test tables (`vectors/grammar.json`). Positions count code points, from 1.
 */
import { amount, duration, time, type TimeField } from './query-values'
import { nearest } from './nearest'
import { HOLDS, PHASES, REASONS, STATUSES } from './words'

export const MAX_LENGTH = 500
export const MAX_TERMS = 30
const MAX_ID = 2n ** 63n - 1n

export const FIELDS = [
  'status', 'agent', 'backend', 'project', 'label', 'worker', 'reason', 'id', 'since', 'until', 'cost', 'took', 'phase',
  'hold', 'is',
] as const
export type Field = (typeof FIELDS)[number]

/** The words a field takes, where it takes only some. */
export const CHOICES: Readonly<Partial<Record<Field, readonly string[]>>> = {
  status: Object.keys(STATUSES).map((each) => each.toLowerCase()),
  reason: Object.keys(REASONS),
  phase: Object.keys(PHASES),
  hold: Object.keys(HOLDS),
  is: ['active', 'terminal', 'held', 'unreachable'],
}
const SINGLE: ReadonlySet<string> = new Set(['since', 'until', 'cost', 'took'])
const EXAMPLES: Readonly<Partial<Record<Field, string>>> = {
  since: '`since:24h` or `since:2026-11-20` or `since:2026-11-20T08:00:00Z`',
  until: '`until:24h` or `until:2026-11-20` or `until:2026-11-20T08:00:00Z`',
  cost: '`cost:>1.5` or `cost:<=0.2`',
  took: '`took:>10m` or `took:<=30s`',
  label: '`label:team=web`',
}
// Python's `str.isspace`, which is not JavaScript's `\s`.
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/

/** One condition; `values` are canonical texts: any of them, or none of them where it is negated. */
export interface Term {
  readonly field: Field | 'text'
  readonly values: readonly string[]
  readonly isNegated: boolean
}

/** A text that is no query; `position` is the character, from 1, or null where the whole is too long. */
export class QueryError extends Error {
  override name = 'QueryError'
  constructor(
    message: string,
    readonly position: number | null,
  ) {
    super(message)
  }
}

/** The terms of a text. Raises `QueryError` that names the place and the nearest word. */
export function parse(text: string): Term[] {
  const characters = Array.from(text)
  const length = characters.length
  if (length > MAX_LENGTH) throw new QueryError(`\`q\` has ${length} characters; ${MAX_LENGTH} are the most.`, null)
  const terms = new Reader(characters).terms()
  if (Array.from(format(terms)).length > MAX_LENGTH)
    throw new QueryError(`\`q\` is longer than ${MAX_LENGTH} characters once it is written out.`, null)
  return terms
}

/** The canonical text, which parses back to the same terms. */
export function format(terms: readonly Term[]): string {
  return terms.map(formatTerm).join(' ')
}

function formatTerm({ field, values, isNegated }: Term): string {
  const sign = isNegated ? '-' : ''
  if (field === 'text') return sign + quoted(values[0] ?? '')
  return `${sign}${field}:${values.map(written).join(',')}`
}

/** `text` as one term that is looked for as it is, in quotes where it needs them. */
export function quoted(text: string): string {
  const isPlain = !text.includes(':') && !hasBlank(text)
  return isPlain && text !== '' && !/^[-"]/.test(text) ? text : inQuotes(text)
}

/** The terms with those of one field replaced; no values takes them away. */
export function withField(terms: readonly Term[], field: Field, values: readonly string[]): Term[] {
  const others = terms.filter((each) => each.field !== field)
  return values.length ? [...others, { field, values, isNegated: false }] : others
}

const hasBlank = (text: string) => Array.from(text).some((each) => BLANK.test(each))
const inQuotes = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`
const written = (text: string) => (text.startsWith('"') || text.includes(',') || hasBlank(text) ? inQuotes(text) : text)

function refuse(at: number, what: string): never {
  throw new QueryError(`\`q\`, character ${at + 1}: ${what}${what.endsWith('?') ? '' : '.'}`, at + 1)
}

class Reader {
  #at = 0

  constructor(private readonly text: readonly string[]) {}

  terms(): Term[] {
    const nul = this.text.indexOf('\0')
    if (nul >= 0) refuse(nul, 'a NUL character; leave it out')
    const found: Term[] = []
    for (this.#skipBlanks(); this.#at < this.text.length; this.#skipBlanks()) {
      if (found.length === MAX_TERMS) refuse(this.#at, `this is more than ${MAX_TERMS} terms`)
      found.push(this.#term())
    }
    return found
  }

  #peek(): string {
    return this.text[this.#at] ?? ''
  }

  #skipBlanks(): void {
    while (BLANK.test(this.#peek())) this.#at++
  }

  #term(): Term {
    const isNegated = this.#peek() === '-'
    if (isNegated) this.#at++
    if (this.#peek() === '' || this.#peek() === '-' || BLANK.test(this.#peek()))
      refuse(this.#at, 'a word is missing behind `-`; put text that begins with `-` in quotes')
    const start = this.#at
    if (this.#peek() === '"') return { field: 'text', values: [this.#quoted(true)], isNegated }
    const name = this.#name()
    if (name !== null) {
      const field = knownField(name, start)
      this.#at = start + name.length + 1
      return { field, values: this.#values(field), isNegated }
    }
    const word = this.#bare(false)
    if (word.includes(':')) refuse(start, `${repr(word)} is no field; put text with a colon in quotes`)
    return { field: 'text', values: [word], isNegated }
  }

  #name(): string | null {
    let end = this.#at
    while (/^[A-Za-z_]$/.test(this.text[end] ?? '')) end++
    return end > this.#at && this.text[end] === ':' ? this.text.slice(this.#at, end).join('') : null
  }

  #values(field: Field): string[] {
    const found = new Set<string>()
    for (;;) {
      const start = this.#at
      const text = this.#peek() === '"' ? this.#quoted(false) : this.#bare(!SINGLE.has(field))
      if (text === '') refuse(start, `\`${field}:\` needs a value${examples(field)}`)
      found.add(value(field, text, start))
      if (this.#peek() !== ',') return [...found]
      if (SINGLE.has(field)) refuse(this.#at, `\`${field}:\` takes one value`)
      this.#at++
    }
  }

  #bare(untilComma: boolean): string {
    const start = this.#at
    while (this.#peek() !== '' && !BLANK.test(this.#peek()) && !(untilComma && this.#peek() === ',')) this.#at++
    return this.text.slice(start, this.#at).join('')
  }

  #quoted(isText: boolean): string {
    const start = this.#at
    let found = ''
    for (this.#at++; this.#peek() !== '"'; this.#at++) {
      if (this.#peek() === '\\') this.#at++
      if (this.#peek() === '') refuse(start, 'these quotes are not closed')
      found += this.#peek()
    }
    this.#at++
    const behind = this.#peek()
    if (behind !== '' && !BLANK.test(behind) && (isText || behind !== ','))
      refuse(this.#at, 'a blank is missing behind the quotes')
    if (found === '') refuse(start, 'there is nothing in these quotes')
    return found
  }
}

function knownField(name: string, at: number): Field {
  const found = FIELDS.find((each) => each === name.toLowerCase())
  if (found) return found
  refuse(at, `there is no field \`${name.slice(0, 50)}\` (text with a colon goes in quotes)${hint(name.toLowerCase(), FIELDS)}`)
}

function value(field: Field, text: string, at: number): string {
  const choices = CHOICES[field]
  if (choices) {
    if (choices.includes(text.toLowerCase())) return text.toLowerCase()
    refuse(at, `there is no ${field} \`${cut(text)}\`${hint(text.toLowerCase(), choices)}`)
  }
  if (field === 'id') return id(text, at)
  if (field === 'since' || field === 'until') return instant(field, text, at)
  if (field === 'cost' || field === 'took') return bound(field, text, at)
  if (field === 'label' && text.startsWith('=')) refuse(at, 'a label is `name=value`, or its name alone')
  return text
}

function id(text: string, at: number): string {
  const found = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : 0n
  if (found < 1n || found > MAX_ID) refuse(at, `${repr(text)} is not the id of a run; ids are whole numbers from 1 on`)
  return found.toString()
}

function instant(field: TimeField, text: string, at: number): string {
  const ago = duration(text)
  if (ago === 'too long') refuse(at, 'that is longer than a century')
  return ago ?? time(field, text) ?? refuse(at, `${repr(text)} is no time${examples(field)}`)
}

function bound(field: 'cost' | 'took', text: string, at: number): string {
  const operator = /^(?:>=|<=|>|<)/.exec(text)?.[0]
  if (operator === undefined) refuse(at, `\`${field}:\` needs a comparison${examples(field)}`)
  const rest = text.slice(operator.length)
  const behind = at + operator.length
  if (field === 'cost') return operator + (amount(rest) ?? refuse(behind, `${repr(rest)} is no price${examples(field)}`))
  const long = duration(rest)
  if (long === 'too long') refuse(behind, 'that is longer than a century')
  return operator + (long ?? refuse(behind, `${repr(rest)} is no time${examples(field)}`))
}

function examples(field: Field): string {
  const choices = CHOICES[field]
  if (choices) return `, one of ${choices.join(', ')}`
  const example = EXAMPLES[field]
  return example ? `, such as ${example}` : ''
}

function hint(word: string, known: readonly string[]): string {
  const found = nearest(word, known)
  return found ? `; did you mean \`${found}\`?` : `; there are ${known.join(', ')}`
}

const cut = (text: string) => Array.from(text).slice(0, 50).join('')

function repr(text: string): string {
  const short = cut(text).replace(/\\/g, '\\\\')
  return short.includes("'") && !short.includes('"') ? `"${short}"` : `'${short.replace(/'/g, "\\'")}'`
}
