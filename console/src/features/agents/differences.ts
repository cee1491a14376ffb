/** Two versions side by side: what differs, and what of it is no accident of few runs. */
import type { Figures } from '@/features/charts/stretches'
import { change, interval, percent, whole } from '@/features/charts/written'
import { duration, money, tokens } from '@/lib/format'

/** How the second does against the first; `unclear` where few runs say too little, null where neither is better. */
export type Verdict = 'better' | 'worse' | 'unclear' | null

export interface Difference {
  readonly label: string
  readonly a: string
  readonly b: string
  /** Below the figures: where they lie. */
  readonly notes?: readonly [string, string]
  readonly change: string | null
  readonly verdict: Verdict
  /** The verdict as a word of this figure. */
  readonly word: string
  readonly why: string
}

/** Percentiles are right within 5 % each, so that a smaller difference may be none. */
const BLUR = 1.1
const NONE = '–'

/** Figures that neither has are left out. */
export function differences(a: Figures, b: Figures): Difference[] {
  const all = [
    success(a, b),
    price(a, b),
    time('Duration p50', a, b, 'p50'),
    time('Duration p95', a, b, 'p95'),
    time('Duration p99', a, b, 'p99'),
    told('Tokens per run', each(a, tokens(a.usage)), each(b, tokens(b.usage)), (value) => (value === null || value === 0 ? NONE : whole(value))),
    told('Cost per run', each(a, a.cost_usd), each(b, b.cost_usd), money),
    told('Wait p50', ms(a.wait_s?.p50), ms(b.wait_s?.p50), duration),
    told('Runs', a.runs, b.runs, (value) => whole(value ?? 0)),
  ]
  return all.filter((one) => one.a !== NONE || one.b !== NONE)
}

const each = ({ runs }: Figures, sum: number) => (runs > 0 ? sum / runs : null)
const ms = (seconds: number | undefined) => (seconds === undefined ? null : seconds * 1000)

interface Where {
  readonly low: number
  readonly high: number | null
}

/** Whether two intervals lie apart, and which is above. */
export function apart(a: Where | null, b: Where | null): 'above' | 'below' | 'touching' | null {
  if (a === null || b === null) return null
  if (b.low > (a.high ?? Infinity)) return 'above'
  return (b.high ?? Infinity) < a.low ? 'below' : 'touching'
}

function success(a: Figures, b: Figures): Difference {
  const where = apart(a.success_interval, b.success_interval)
  const points = a.success_rate === null || b.success_rate === null ? null : (b.success_rate - a.success_rate) * 100
  return {
    label: 'Success', a: percent(a.success_rate), b: percent(b.success_rate), notes: [interval(a.success_interval), interval(b.success_interval)],
    change: points === null ? null : `${points > 0 ? '+' : points < 0 ? '−' : '±'}${Math.abs(points).toFixed(1)} points`,
    ...judged(where, 'above'), why: reason(where),
  }
}

function price(a: Figures, b: Figures): Difference {
  const where = a.cost_usd === 0 && b.cost_usd === 0 ? null : apart(a.cost_per_success_interval_usd, b.cost_per_success_interval_usd)
  return {
    label: 'Cost per success', a: money(a.cost_per_success_usd), b: money(b.cost_per_success_usd), notes: [span(a.cost_per_success_interval_usd), span(b.cost_per_success_interval_usd)],
    change: change(a.cost_per_success_usd, b.cost_per_success_usd), ...judged(where, 'below'), why: reason(where),
  }
}

const span = (found: Where | null) => (found === null ? NONE : found.high === null ? `from ${money(found.low)}` : `${money(found.low)}–${money(found.high)}`)

function judged(where: ReturnType<typeof apart>, good: 'above' | 'below'): Pick<Difference, 'verdict' | 'word'> {
  if (where === null) return { verdict: null, word: '' }
  if (where === 'touching') return { verdict: 'unclear', word: 'not clear' }
  return where === good ? { verdict: 'better', word: 'better' } : { verdict: 'worse', word: 'worse' }
}

function reason(where: ReturnType<typeof apart>): string {
  if (where === null) return 'There is nothing to compare.'
  return where === 'touching' ? 'The intervals overlap: the difference may be an accident of few runs.' : 'The intervals lie apart: it is no accident of few runs.'
}

function time(label: string, a: Figures, b: Figures, name: 'p50' | 'p95' | 'p99'): Difference {
  const [from, to] = [a.duration_s?.[name], b.duration_s?.[name]]
  const found = { label, a: duration(ms(from)), b: duration(ms(to)), change: change(from, to) }
  if (from === undefined || to === undefined) return { ...found, verdict: null, word: '', why: 'There is nothing to compare.' }
  if (to < from * BLUR && from < to * BLUR) return { ...found, verdict: null, word: '', why: 'Percentiles are right within 5 %: this may be no difference.' }
  return to < from ? { ...found, verdict: 'better', word: 'faster', why: '' } : { ...found, verdict: 'worse', word: 'slower', why: '' }
}

function told(label: string, a: number | null, b: number | null, write: (value: number | null) => string): Difference {
  return { label, a: write(a), b: write(b), change: change(a, b), verdict: null, word: '', why: '' }
}

/** What makes versions what they are. */
export interface Made {
  readonly models: readonly string[]
  readonly tools: readonly string[]
  readonly deployment: string
  readonly cluster: string
  readonly settings: Readonly<Record<string, unknown>>
}

/** One thing in which two versions are not made alike; null where it is not there. */
export interface Setting {
  readonly name: string
  readonly a: string | null
  readonly b: string | null
}

/** What differs, and how many things are alike. */
export function settings(a: Made, b: Made): { readonly differing: readonly Setting[]; readonly alike: number } {
  const [left, right] = [flat(a), flat(b)]
  const names = [...new Set([...left.keys(), ...right.keys()])]
  const all = names.map((name) => ({ name, a: left.get(name) ?? null, b: right.get(name) ?? null }))
  const differing = all.filter((each) => each.a !== each.b)
  return { differing, alike: all.length - differing.length }
}

function flat({ models, tools, deployment, cluster, settings: more }: Made): Map<string, string> {
  const texts: [string, string][] = [['models', [...models].sort().join(', ')], ['tools', [...tools].sort().join(', ')], ['deployment', deployment], ['cluster', cluster]]
  const options = Object.entries(more).map(([name, value]): [string, string] => [name, typeof value === 'string' ? value : JSON.stringify(value)])
  return new Map([...texts.filter(([, value]) => value !== ''), ...options.map(([name, value]): [string, string] => [`option ${name}`, value])])
}
