/** The time that figures are of: as it stands in the address, as the server is asked for it, and in words. */
import { duration as ago, time } from '@/lib/query-values'

/** Both in the server's words: `24h` or an instant; without `until` it goes on to now. */
export interface Range {
  readonly since: string
  readonly until?: string
}

export interface Preset {
  readonly since: string
  readonly label: string
  /** In the middle of a sentence. */
  readonly words: string
}

export const PRESETS: readonly Preset[] = [
  { since: '1h', label: '1 h', words: 'in the last hour' },
  { since: '6h', label: '6 h', words: 'in the last 6 hours' },
  { since: '24h', label: '24 h', words: 'in the last 24 hours' },
  { since: '7d', label: '7 d', words: 'in the last 7 days' },
  { since: '30d', label: '30 d', words: 'in the last 30 days' },
  { since: '90d', label: '90 d', words: 'in the last 90 days' },
]

function isAgo(text: string): boolean {
  const found = /^[0-9]{1,9}[wdhms]$/.test(text) ? ago(text) : null
  return found !== null && found !== 'too long'
}

const isInstant = (text: string) => time('since', text) !== null

/** The range of an address; what is no time there is as if it was left away. */
export function readRange(search: { since?: string; until?: string }, fallback: string): Range {
  const since = search.since !== undefined && (isAgo(search.since) || isInstant(search.since)) ? search.since : fallback
  if (search.until === undefined || !isInstant(search.until) || !isInstant(since)) return { since }
  return Date.parse(since) < Date.parse(search.until) ? { since, until: search.until } : { since }
}

/** The range between two instants in milliseconds. */
export function between(from: number, to: number): Range {
  return { since: written(from), until: written(to) }
}

/** What was marked on a chart, widened to whole stretches; at least one. */
export function snapped(from: number, to: number, stepMs: number): Range {
  const start = Math.floor(from / stepMs) * stepMs
  return between(start, Math.max(start + stepMs, Math.ceil(to / stepMs) * stepMs))
}

const written = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')

/** The range as terms of the runs' query. */
export function terms({ since, until }: Range): string {
  return until === undefined ? `since:${since}` : `since:${since} until:${until}`
}

/** `in the last 24 hours`, `from 20 Nov 08:00 to 20 Nov 12:00`. */
export function words({ since, until }: Range, timeZone?: string): string {
  const preset = PRESETS.find((each) => each.since === since)
  if (preset && until === undefined) return preset.words
  if (isAgo(since)) return `in the last ${since}`
  return until === undefined ? `since ${moment(since, timeZone)}` : `from ${moment(since, timeZone)} to ${moment(until, timeZone)}`
}

function moment(text: string, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone }
  return new Intl.DateTimeFormat('en-GB', { ...zone, day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }).format(Date.parse(text)).replace(',', '')
}
