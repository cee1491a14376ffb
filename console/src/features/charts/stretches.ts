/** A series of figures as charts need it: every stretch of the window, those without runs too. */
import type { components } from '@/lib/schema'

export type Stats = components['schemas']['Stats']
export type Figures = components['schemas']['Figures']
export type Point = components['schemas']['Point']

/** From `start` to `end` in milliseconds; `figures` is null where no run ended. */
export interface Stretch {
  readonly start: number
  readonly end: number
  readonly figures: Figures | null
}

const MOST = 2000

/** The stretches of a window, oldest first. */
export function stretches({ since, until, step_s }: Pick<Stats, 'since' | 'until' | 'step_s'>, points: readonly Point[]): Stretch[] {
  const step = step_s * 1000
  const found = new Map(points.map((each) => [Date.parse(each.start), each.figures]))
  // Stretches of several days are counted from 1970, so the first one may begin before the window.
  const first = Math.floor(Date.parse(since) / step) * step
  const count = Math.min(MOST, Math.ceil((Date.parse(until) - first) / step))
  return Array.from({ length: Math.max(0, count) }, (_, at) => {
    const start = first + at * step
    return { start, end: start + step, figures: found.get(start) ?? null }
  })
}

/** `per minute`, `per hour`, `per day`, `per 3 days`. */
export function pace(step_s: number): string {
  const unit = ([[86_400, 'day'], [3600, 'hour'], [60, 'minute']] as const).find(([size]) => step_s % size === 0)
  if (!unit) return `per ${step_s} s`
  const many = step_s / unit[0]
  return many === 1 ? `per ${unit[1]}` : `per ${many} ${unit[1]}s`
}

/** When a stretch is, in the viewer's zone; days are those of UTC, and say so. */
export function when({ start, end }: Pick<Stretch, 'start' | 'end'>, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone }
  const isDays = end - start >= 86_400_000
  const day = new Intl.DateTimeFormat('en-GB', { ...(isDays ? { timeZone: 'UTC' } : zone), weekday: 'short', day: 'numeric', month: 'short' })
  if (end - start === 86_400_000) return `${day.format(start).replace(',', '')} (UTC)`
  if (isDays) return `${day.format(start).replace(',', '')} – ${day.format(end - 1).replace(',', '')} (UTC)`
  const time = new Intl.DateTimeFormat('en-GB', { ...zone, hour: '2-digit', minute: '2-digit' })
  return `${day.format(start).replace(',', '')}, ${time.format(start)} – ${time.format(end)}`
}
