/** The order of agents and versions: by any column, those without a figure last whichever way. */
import type { Figures } from '@/features/charts/stretches'

export const COLUMNS = ['name', 'success', 'runs', 'p50', 'p95', 'p99', 'cost', 'price', 'seen'] as const
export type Column = (typeof COLUMNS)[number]

/** A column, and whether the most come first; in an address `-cost`. */
export interface Order {
  readonly column: Column
  readonly isDown: boolean
}

export interface Lined {
  readonly name: string
  readonly figures: Figures | null
}

export function readOrder(text: string | undefined): Order {
  const column = COLUMNS.find((each) => each === text?.replace(/^-/, ''))
  return column ? { column, isDown: text?.startsWith('-') ?? false } : { column: 'runs', isDown: true }
}

/** The address of a column that is pressed: most first, then least first; names the other way round. */
export function pressed(order: Order, column: Column): string {
  const isDown = order.column === column ? !order.isDown : column !== 'name'
  return `${isDown ? '-' : ''}${column}`
}

export function ordered<T extends Lined>(lines: readonly T[], { column, isDown }: Order): T[] {
  const sign = isDown ? -1 : 1
  return [...lines].sort((one, other) => {
    const [a, b] = [key(one, column), key(other, column)]
    if (a === null || b === null) return a === b ? byName(one, other) : a === null ? 1 : -1
    return (typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b)) * sign || byName(one, other)
  })
}

const byName = (one: Lined, other: Lined) => one.name.localeCompare(other.name)

const KEYS: Readonly<Record<Exclude<Column, 'name'>, (figures: Figures) => number | null | undefined>> = {
  success: (each) => each.success_rate,
  runs: (each) => each.runs,
  p50: (each) => each.duration_s?.p50,
  p95: (each) => each.duration_s?.p95,
  p99: (each) => each.duration_s?.p99,
  cost: (each) => each.cost_usd,
  price: (each) => each.cost_per_success_usd,
  seen: (each) => (each.last_seen === null ? null : Date.parse(each.last_seen)),
}

function key({ name, figures }: Lined, column: Column): number | string | null {
  if (column === 'name') return name
  return figures === null ? null : (KEYS[column](figures) ?? null)
}
