/** What could come next in a query, at the place where one types. */
import { CHOICES, type Field, FIELDS, quoted } from './query'

/** `text` replaces the characters from `from` to `to`. `hint` says what it means. */
export interface Completion {
  readonly text: string
  readonly hint: string
}

/** The word under the caret: of a field, or the beginning of one. Values are separated by commas. */
export interface Place {
  readonly field: Field | null
  readonly typed: string
  readonly from: number
  readonly to: number
}

export const MEANINGS: Readonly<Record<Field, string>> = {
  status: 'where it is in its life', agent: 'the agent it is counted for', backend: 'what runs it', project: 'where it works',
  label: 'a label: name=value', worker: 'the host that runs it', reason: 'why it ended', id: 'its number',
  since: 'created after: 24h, 2026-11-20', until: 'created before: 24h, 2026-11-20', cost: 'US dollars: >1.5, <=0.2', took: 'how long it ran: >10m, <=30s',
  phase: 'what it does now', hold: 'what keeps it in the queue', is: 'active, ended, held, or out of reach',
}

const TYPICAL: Readonly<Partial<Record<Field, readonly string[]>>> = {
  since: ['1h', '24h', '7d', '30d'], until: ['1h', '24h', '7d'], cost: ['>0.1', '>1', '>10'], took: ['>1m', '>10m', '>1h', '<=30s'],
}
const MOST = 12

/** Where the caret stands; null within quotes, where anything may stand. */
export function placeAt(text: string, caret: number): Place | null {
  const before = text.slice(0, caret)
  if (((before.match(/(?<!\\)"/g) ?? []).length & 1) === 1) return null
  const begun = /(?:^|\s)(-?)([^\s"]*)$/.exec(before)
  if (!begun) return null
  const word = begun[2] ?? ''
  const to = caret + (/^[^\s",]*/.exec(text.slice(caret))?.[0].length ?? 0)
  const colon = word.indexOf(':')
  const field = colon < 0 ? null : (FIELDS.find((each) => each === word.slice(0, colon).toLowerCase()) ?? null)
  if (colon >= 0 && field === null) return null
  const typed = field === null ? word : word.slice(Math.max(colon, word.lastIndexOf(',')) + 1)
  return { field, typed, from: caret - typed.length, to }
}

/** Completions for a place, those that begin as it does first. `known` are names that the server has. */
export function completions({ field, typed }: Place, known: readonly string[] = []): Completion[] {
  const wanted = typed.toLowerCase()
  if (field === null) return ranked(FIELDS, wanted).map((each) => ({ text: `${each}:`, hint: MEANINGS[each] }))
  const values = CHOICES[field] ?? TYPICAL[field] ?? known
  return ranked(values, wanted).filter((each) => each !== typed).slice(0, MOST).map((each) => ({ text: writtenValue(each), hint: '' }))
}

function ranked<T extends string>(words: readonly T[], wanted: string): T[] {
  const found = words.filter((each) => each.toLowerCase().includes(wanted))
  return found.sort((a, b) => Number(b.toLowerCase().startsWith(wanted)) - Number(a.toLowerCase().startsWith(wanted)))
}

function writtenValue(text: string): string {
  return text.includes(',') && !quoted(text).startsWith('"') ? `"${text}"` : quoted(text)
}

/** The text with a completion put in, and where the caret stands then: behind a value there is a blank. */
export function completed(text: string, place: Place, chosen: Completion): { text: string; caret: number } {
  const isField = place.field === null
  const rest = text.slice(place.to)
  const put = isField || rest.startsWith(' ') || rest.startsWith(',') ? chosen.text : `${chosen.text} `
  return { text: text.slice(0, place.from) + put + rest, caret: place.from + put.length }
}
