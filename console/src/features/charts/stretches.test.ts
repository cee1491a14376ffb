import { expect, it } from 'vitest'
import { type Figures, pace, stretches, when } from './stretches'

const FIGURES: Figures = {
  runs: 1, completed: 1, failed: 0, stopped: 0, success_rate: 1, success_interval: null, duration_s: null, wait_s: null, cost_usd: 0, cost_per_success_usd: 0,
  usage: { input_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0, output_tokens: 0 }, cost_per_success_interval_usd: null, last_seen: null,
}

it('fills in where nothing ended', () => {
  const window = { since: '2026-11-20T08:00:00.000Z', until: '2026-11-20T11:00:00.000Z', step_s: 3600 }
  const found = stretches(window, [{ start: '2026-11-20T09:00:00.000Z', figures: FIGURES }])
  expect(found.map(({ start, figures }) => [new Date(start).getUTCHours(), figures?.runs ?? 0])).toEqual([[8, 0], [9, 1], [10, 0]])
})

it('begins where a stretch of several days does', () => {
  const step_s = 3 * 86_400
  const start = new Date(Math.floor(Date.parse('2026-11-20') / (step_s * 1000)) * step_s * 1000).toISOString()
  const found = stretches({ since: '2026-11-20T00:00:00.000Z', until: '2026-11-27T00:00:00.000Z', step_s }, [{ start, figures: FIGURES }])
  expect(found[0]?.figures).toBe(FIGURES)
  expect(found.at(-1)?.end).toBeGreaterThanOrEqual(Date.parse('2026-11-27'))
})

it.each([[60, 'per minute'], [3600, 'per hour'], [86_400, 'per day'], [3 * 86_400, 'per 3 days'], [5, 'per 5 s']])('%i seconds are %s', (step_s, text) => {
  expect(pace(step_s)).toBe(text)
})

it('says when a stretch is', () => {
  const at = (text: string) => Date.parse(text)
  expect(when({ start: at('2026-11-20T08:00Z'), end: at('2026-11-20T09:00Z') }, 'UTC')).toBe('Fri 20 Nov, 08:00 – 09:00')
  expect(when({ start: at('2026-11-20T00:00Z'), end: at('2026-11-21T00:00Z') }, 'America/New_York')).toBe('Fri 20 Nov (UTC)')
  expect(when({ start: at('2026-11-20T00:00Z'), end: at('2026-11-23T00:00Z') })).toBe('Fri 20 Nov – Sun 22 Nov (UTC)')
})
