/** The list of runs as plain data: pages of it, what the stream changes in it, and its order. */
import { elapsed, tokens } from './format'
import { describe, REASONS, type Run } from './words'

/** The newest that match, down to `cursor`; null where that is all of them. */
export interface RunsList {
  readonly rows: readonly Run[]
  readonly cursor: string | null
  /** Up to when text was searched, where that is not up to now. */
  readonly indexedTo: string | null
}

export const EMPTY_LIST: RunsList = { rows: [], cursor: null, indexedTo: null }

/** The list with what became of its runs; the same object where it has none of them. Older news changes nothing. */
export function patched(list: RunsList, news: readonly Run[]): RunsList {
  const byId = new Map(news.map((run) => [run.id, run]))
  let isChanged = false
  const rows = list.rows.map((row) => {
    const run = byId.get(row.id)
    if (!run || run.last_seq < row.last_seq) return row
    isChanged = true
    return run
  })
  return isChanged ? { ...list, rows } : list
}

/** The list with new runs above the others. */
export function withNew(list: RunsList, news: readonly Run[]): RunsList {
  const top = list.rows[0]?.id ?? 0
  const above = news.filter((run) => run.id > top).sort((a, b) => b.id - a.id)
  return above.length > 0 ? { ...list, rows: [...above, ...list.rows] } : list
}

/** The list with its upper part read again: `fresh` is everything that matches down to its last row. */
export function withUpper(list: RunsList, fresh: RunsList): RunsList {
  const last = fresh.rows.at(-1)
  if (fresh.cursor === null || !last) return fresh
  const below = list.rows.filter((row) => row.id < last.id)
  return below.length > 0 ? { ...fresh, rows: [...fresh.rows, ...below], cursor: list.cursor } : fresh
}

/** The list with the page behind it. */
export function withMore(list: RunsList, more: RunsList): RunsList {
  const last = list.rows.at(-1)?.id ?? Infinity
  return { ...more, rows: [...list.rows, ...more.rows.filter((row) => row.id < last)], indexedTo: list.indexedTo }
}

export const SORTS = ['created', 'state', 'title', 'project', 'agent', 'started', 'took', 'tokens', 'cost', 'turns'] as const
export type SortKey = (typeof SORTS)[number]

export interface Sort {
  readonly key: SortKey
  readonly isDescending: boolean
}

/** As the server lists them. */
export const NEWEST: Sort = { key: 'created', isDescending: true }

/** `cost` or `-cost` as it stands in an address; what is not known means the newest first. */
export function parseSort(text: string | undefined): Sort {
  const isDescending = text?.startsWith('-') ?? false
  const key = SORTS.find((each) => each === (isDescending ? text?.slice(1) : text))
  return key ? { key, isDescending } : NEWEST
}

/** The text of an address, or none for the newest first. */
export function formatSort({ key, isDescending }: Sort): string | undefined {
  return key === 'created' && isDescending ? undefined : `${isDescending ? '-' : ''}${key}`
}

/** What a press on a column's heading means: large values first, then turned around, then as it was. */
export function nextSort(now: Sort, key: SortKey): Sort {
  const isText = key === 'title' || key === 'project' || key === 'agent' || key === 'state'
  if (now.key !== key) return { key, isDescending: !isText }
  return now.isDescending === !isText ? { key, isDescending: isText } : NEWEST
}

/** The rows in another order; those without a value come last either way, equal ones the newest first. */
export function sorted(rows: readonly Run[], { key, isDescending }: Sort, now: number): readonly Run[] {
  if (key === 'created') return isDescending ? rows : rows.toReversed()
  const keyed = rows.map((run) => ({ run, value: valueOf(run, key, now) }))
  const sign = isDescending ? -1 : 1
  keyed.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null) || b.run.id - a.run.id
    const order = typeof a.value === 'string' ? a.value.localeCompare(String(b.value)) : a.value - Number(b.value)
    return sign * order || b.run.id - a.run.id
  })
  return keyed.map((each) => each.run)
}

function valueOf(run: Run, key: Exclude<SortKey, 'created'>, now: number): string | number | null {
  switch (key) {
    case 'state': return describe(run).label
    case 'title': return run.title
    case 'project': return run.project
    case 'agent': return run.agent
    case 'started': return run.started_at === null ? null : Date.parse(run.started_at)
    case 'took': return elapsed(run, now)
    case 'tokens': return tokens(run.usage) || null
    case 'cost': return run.cost_usd
    case 'turns': return run.turns || null
  }
}

/** Why a run is where it is, in a few words; nothing where its state says it all. */
export function whyOf(run: Run): string | null {
  if (run.reason) return run.message ? `${REASONS[run.reason]}: ${run.message}` : REASONS[run.reason]
  return run.message
}
