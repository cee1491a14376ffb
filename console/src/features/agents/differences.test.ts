import { describe, expect, it } from 'vitest'
import type { Figures } from '@/features/charts/stretches'
import { apart, differences, settings } from './differences'

const figures = (more: Partial<Figures>): Figures => ({
  runs: 100, completed: 80, failed: 20, stopped: 0, success_rate: 0.8, success_interval: { low: 0.71, high: 0.87 }, duration_s: { mean: 10, p50: 10, p95: 20, p99: 30 }, wait_s: null,
  usage: { input_tokens: 100, cache_read_tokens: 0, cache_write_tokens: 0, output_tokens: 100 }, cost_usd: 8, cost_per_success_usd: 0.1, cost_per_success_interval_usd: { low: 0.09, high: 0.11 },
  last_seen: null, ...more,
})
const NONE = figures({ runs: 0, completed: 0, failed: 0, success_rate: null, success_interval: null, duration_s: null, cost_usd: 0, cost_per_success_usd: null, cost_per_success_interval_usd: null })
const found = (a: Figures, b: Figures, label: string) => differences(a, b).find((each) => each.label === label)

describe('success', () => {
  it.each([
    [{ success_rate: 0.95, success_interval: { low: 0.9, high: 0.98 } }, 'better', '+15.0 points'],
    [{ success_rate: 0.5, success_interval: { low: 0.4, high: 0.6 } }, 'worse', '−30.0 points'],
    [{ success_rate: 0.85, success_interval: { low: 0.77, high: 0.91 } }, 'unclear', '+5.0 points'],
  ] as const)('of %j is %s', (more, verdict, change) => {
    expect(found(figures({}), figures(more), 'Success')).toMatchObject({ verdict, change })
  })
})

it('calls a lower price better only where the intervals lie apart', () => {
  expect(found(figures({}), figures({ cost_per_success_usd: 0.05, cost_per_success_interval_usd: { low: 0.04, high: 0.06 } }), 'Cost per success')).toMatchObject({ verdict: 'better', change: '−50%' })
  expect(found(figures({}), figures({ cost_per_success_usd: null, cost_per_success_interval_usd: { low: 0.5, high: null } }), 'Cost per success')).toMatchObject({ verdict: 'worse', change: null })
})

it('calls no difference what the percentiles cannot tell apart', () => {
  const of = (p50: number) => figures({ duration_s: { mean: 10, p50, p95: 20, p99: 30 } })
  expect([10.9, 12, 5].map((p50) => found(figures({}), of(p50), 'Duration p50')?.verdict)).toEqual([null, 'worse', 'better'])
})

it('compares with nothing without a verdict', () => {
  expect(differences(NONE, figures({})).every((each) => each.verdict === null)).toBe(true)
  expect(differences(NONE, NONE).every((each) => each.verdict === null)).toBe(true)
})

it('leaves out what neither has', () => {
  const labels = (a: Figures, b: Figures) => differences(a, b).map((each) => each.label)
  expect(labels(NONE, NONE)).toEqual(['Runs'])
  expect(labels(figures({}), figures({}))).not.toContain('Wait p50')
})

it('knows how intervals lie', () => {
  expect([apart({ low: 0, high: 1 }, { low: 2, high: null }), apart({ low: 2, high: null }, { low: 0, high: 1 }), apart({ low: 0, high: null }, { low: 5, high: 6 }), apart(null, null)]).toEqual(['above', 'below', 'touching', null])
})

it('lists the settings that differ', () => {
  const made = { models: ['m-1'], tools: ['edit', 'bash'], deployment: '', cluster: 'c', settings: { effort: 'high', limits: { turns: 3 } } }
  const other = { ...made, models: ['m-2'], tools: ['bash', 'edit'], deployment: 'canary', settings: { effort: 'high', limits: { turns: 4 } } }
  expect(settings(made, other)).toEqual({
    differing: [{ name: 'models', a: 'm-1', b: 'm-2' }, { name: 'option limits', a: '{"turns":3}', b: '{"turns":4}' }, { name: 'deployment', a: null, b: 'canary' }],
    alike: 3,
  })
})
