/** What a chart draws: columns of numbers, one for each stretch, and how they look. */

/** One series. `tone` is a colour of the theme; lines differ by `dash` too, so that nothing is said by colour alone. */
export interface Column {
  readonly key: string
  readonly label: string
  readonly tone: Tone
  readonly values: readonly (number | null)[]
  readonly dash?: readonly number[]
}

export type Tone = 'good' | 'bad' | 'neutral' | 'accent' | 'waiting' | 'attention' | 'active'
export type Kind = 'bars' | 'lines'

/** The same columns, each on top of those before it. */
export function stacked(columns: readonly Column[]): (number | null)[][] {
  const heights: number[] = []
  return columns.map(({ values }) => values.map((value, at) => (heights[at] = (heights[at] ?? 0) + (value ?? 0))))
}

/** The highest end of an axis that begins at zero: some room above, and never of no height. */
export function top(most: number | null): number {
  return most !== null && most > 0 ? most * 1.06 : 1
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Distances between the marks of an axis in seconds that people read well. */
export const SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY, 100 * DAY, 300 * DAY,
]

/** Distances between the marks of an axis of whole things. */
export const WHOLE = [1, 2, 5].flatMap((each) => Array.from({ length: 12 }, (_, power) => each * 10 ** power)).sort((a, b) => a - b)

/** A mark on an axis of seconds: short, with one unit where that is exact. */
export function axisSeconds(seconds: number): string {
  if (seconds === 0) return '0'
  const [size, unit] = ([[DAY, 'd'], [HOUR, 'h'], [MINUTE, 'm'], [1, 's']] as const).find(([each]) => seconds >= each) ?? [0.001, 'ms']
  return `${Number((seconds / size).toFixed(2))} ${unit}`
}
