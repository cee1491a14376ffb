/** Times, durations and prices of a query, each to its canonical text. */

export type TimeField = 'since' | 'until'

const DAY = 86_400_000
const UNITS = [['w', 7 * DAY], ['d', DAY], ['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const
const LONGEST = 36_525 * DAY
const MAX_INSTANT = 253_402_300_799_999
const TIME =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2}))?)?$/

/** `48h` to `2d`; null where it is no duration. */
export function duration(text: string): string | 'too long' | null {
  const match = /^([0-9]{1,10}(?:\.[0-9]{1,3})?)([wdhms])$/.exec(text)
  const unit = UNITS.find(([name]) => name === match?.[2])?.[1]
  if (!match || unit === undefined) return null
  const ms = Math.round(Number(match[1]) * unit)
  return ms > LONGEST ? 'too long' : writtenDuration(ms)
}

function writtenDuration(ms: number): string {
  const whole = UNITS.find(([, unit]) => ms > 0 && ms % unit === 0)
  if (whole) return `${ms / whole[1]}${whole[0]}`
  return ms ? `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}s` : '0s'
}

/** `$1.50` to `1.5`; null where it is no price. */
export function amount(text: string): string | null {
  const match = /^\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)$/.exec(text)
  return match ? Number(match[1]).toFixed(6).replace(/\.?0+$/, '') : null
}

/** A date or an instant with any offset; null where it is none. `until` a day means until its end. */
export function time(field: TimeField, text: string): string | null {
  const isDate = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)
  const ms = isDate ? midnight(text) : instant(text)
  if (ms === null || ms < 0 || ms > MAX_INSTANT) return null
  return writtenInstant(field, isDate && field === 'until' ? ms + DAY : ms)
}

function midnight(date: string): number | null {
  const ms = Date.parse(`${date}T00:00:00Z`)
  // `Date` takes 30 February for 1 March.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== date ? null : ms
}

function instant(text: string): number | null {
  const match = TIME.exec(text)
  const day = match ? midnight(match[1] ?? '') : null
  if (!match || day === null) return null
  const [hours, minutes, seconds] = [2, 3, 4].map((group) => Number(match[group] ?? 0)) as [number, number, number]
  const [offsetHours, offsetMinutes] = [Number(match[8] ?? 0), Number(match[9] ?? 0)]
  if (hours > 23 || minutes > 59 || seconds > 59 || offsetHours > 23 || offsetMinutes > 59) return null
  const fraction = Math.round(Number(`0.${match[5] ?? '0'}`) * 1000)
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000 * (match[7] === '-' ? -1 : 1)
  return day + hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + fraction - offset
}

function writtenInstant(field: TimeField, ms: number): string {
  if (ms % DAY === 0 && field === 'since') return new Date(ms).toISOString().slice(0, 10)
  if (ms % DAY === 0 && ms > 0) return new Date(ms - DAY).toISOString().slice(0, 10)
  return new Date(ms).toISOString()
}
