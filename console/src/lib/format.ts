/** Durations, money, counts and times as people read them. All times are milliseconds since 1970. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NONE = '–'

/** `850 ms`, `4.2 s`, `3 m 07 s`, `2 h 05 m`, `6 d 04 h`; nothing is rounded up to a unit that has not passed. */
export function duration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return NONE
  const at = Math.max(0, Math.floor(ms))
  if (at < SECOND) return `${at} ms`
  if (at < 10 * SECOND) return `${(Math.floor(at / 100) / 10).toFixed(1)} s`
  if (at < MINUTE) return `${Math.floor(at / SECOND)} s`
  if (at < HOUR) return pair(at, [MINUTE, 'm'], [SECOND, 's'])
  if (at < DAY) return pair(at, [HOUR, 'h'], [MINUTE, 'm'])
  return pair(at, [DAY, 'd'], [HOUR, 'h'])
}

type Unit = readonly [number, string]

function pair(ms: number, [big, bigName]: Unit, [small, smallName]: Unit): string {
  const rest = Math.floor((ms % big) / small)
  return `${Math.floor(ms / big)} ${bigName} ${String(rest).padStart(2, '0')} ${smallName}`
}

/** `$0`, `$0.0042`, `$1.27`, `$1,204`; a price that is not known is a dash and never zero. */
export function money(usd: number | null | undefined): string {
  if (usd == null || !Number.isFinite(usd)) return NONE
  if (usd === 0) return '$0'
  if (usd > 0 && usd < 0.0001) return '<$0.0001'
  const digits = Math.abs(usd) < 0.01 ? 4 : Math.abs(usd) < 1000 ? 2 : 0
  const text = Math.abs(usd).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${usd < 0 ? '−' : ''}$${text}`
}

/** `0`, `999`, `1.2k`, `3.4M`, `1.0B`, cut and never rounded up to the next unit. */
export function count(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return NONE
  const unit = UNITS.find(([size]) => Math.abs(value) >= size)
  if (!unit) return String(Math.trunc(value))
  const scaled = Math.trunc((value / unit[0]) * 10) / 10
  return `${Math.abs(scaled) >= 100 ? Math.trunc(scaled) : scaled.toFixed(1)}${unit[1]}`
}

const UNITS: readonly Unit[] = [[1e9, 'B'], [1e6, 'M'], [1e3, 'k']]

/** `512 B`, `1.5 KB`, `20 MB`, by 1,024. */
export function bytes(value: number): string {
  const names = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = Math.min(names.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10))
  const scaled = value / 1024 ** power
  return `${power === 0 || scaled >= 10 ? Math.floor(scaled) : (Math.floor(scaled * 10) / 10).toFixed(1)} ${names[power]}`
}

/** Tokens of all kinds together. */
export function tokens(usage: Readonly<Record<string, number>>): number {
  return Object.entries(usage).reduce((sum, [name, value]) => (name.endsWith('_tokens') ? sum + value : sum), 0)
}

/** `now`, `12 s ago`, `in 3 m`, `5 d ago`. A clock that is a little off makes no future out of what just happened. */
export function relative(ms: number, now: number): string {
  const apart = Math.abs(now - ms)
  const size = [DAY, HOUR, MINUTE, SECOND].find((each) => apart >= each)
  if (!size || (ms > now && apart < 5 * SECOND)) return 'now'
  const text = `${Math.floor(apart / size)} ${{ [DAY]: 'd', [HOUR]: 'h', [MINUTE]: 'm', [SECOND]: 's' }[size]}`
  return ms > now ? `in ${text}` : `${text} ago`
}

/** `12:03:11` in the viewer's zone, with the date where it is not today. */
export function clock(ms: number, now: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone }
  const day = new Intl.DateTimeFormat('en-CA', { ...zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const time = new Intl.DateTimeFormat('en-GB', { ...zone, hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const date = day.format(ms)
  return date === day.format(now) ? time.format(ms) : `${date} ${time.format(ms)}`
}

/** How long a run has run, `now` being the server's time; null before its start. */
export function elapsed(run: { started_at: string | null; ended_at: string | null }, now: number): number | null {
  if (run.started_at === null) return null
  return Math.max(0, (run.ended_at === null ? now : Date.parse(run.ended_at)) - Date.parse(run.started_at))
}
