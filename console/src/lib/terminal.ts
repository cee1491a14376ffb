/**
 * A run's output line by line, with the colours that each line begins with; made event by event as `Story` is.
 *
 * A line is named by its event and its place in it, `L120` or `L120.3`: that stays true whatever part of the run is held.
 */
import { ansi, type Style } from './ansi'
import { linesOf, payloadOf, textOf, titleOf } from './event-words'
import type { RunEvent } from './run-source'
import type { Timeline } from './timeline'

export interface TerminalLine {
  readonly seq: number
  /** The place in its event, from 1. */
  readonly at: number
  readonly text: string
  /** Whose words these are: the program's, on either stream, or the runner's about it. */
  readonly from: 'stdout' | 'stderr' | 'runner'
  readonly style: Style
  readonly ts: string
  readonly attempt: number
}

const NOTED: ReadonlySet<string> = new Set([
  'run.started', 'run.paused', 'run.resumed', 'run.stop_requested', 'run.stopped', 'run.completed', 'run.failed', 'run.retried', 'run.adopted', 'run.lost',
  'output.truncated', 'output.dropped', 'input.delivered', 'limit',
])
const PLAIN: Style = {}

export class TerminalLines {
  #lines: TerminalLine[] = []
  #read = 0
  #generation = -1
  #styles: Record<'stdout' | 'stderr', Style> = { stdout: PLAIN, stderr: PLAIN }
  #programLines = 0

  update(timeline: Timeline<RunEvent>): void {
    const { rows, generation } = timeline
    if (generation !== this.#generation) {
      this.#lines = []
      this.#read = 0
      this.#programLines = 0
      this.#generation = generation
      this.#styles = { stdout: PLAIN, stderr: PLAIN }
    }
    for (; this.#read < rows.length; this.#read++) this.#take(rows[this.#read] as RunEvent)
  }

  get lines(): readonly TerminalLine[] {
    return this.#lines
  }

  /** How many of the lines the program wrote itself. */
  get programLines(): number {
    return this.#programLines
  }

  #take(event: RunEvent): void {
    if (event.type === 'log' || event.type === 'raw') this.#wrote(event)
    else if (NOTED.has(event.type)) this.#push(event, 1, `${titleOf(event)} ${textOf(event)}`.trim(), 'runner', PLAIN)
  }

  #wrote(event: RunEvent): void {
    const from = payloadOf(event)['stream'] === 'stderr' ? 'stderr' : 'stdout'
    let at = 0
    for (const text of linesOf(event)) {
      this.#push(event, ++at, text, from, this.#styles[from])
      this.#programLines++
      // Most lines have no colour, and reading one is what costs.
      if (text.includes('\x1b[') || text.includes('\x9b')) this.#styles[from] = ansi(text, this.#styles[from]).style
    }
  }

  #push(event: RunEvent, at: number, text: string, from: TerminalLine['from'], style: Style): void {
    this.#lines.push({ seq: event.seq, at, text, from, style, ts: event.ts, attempt: event.attempt })
  }
}

/** `L120`, `L120.3`: the name of a line. */
export function lineName({ seq, at }: Pick<TerminalLine, 'seq' | 'at'>): string {
  return at === 1 ? `L${seq}` : `L${seq}.${at}`
}

export interface LineRange {
  readonly from: readonly [number, number]
  readonly to: readonly [number, number]
}

/** The lines that a link means: `#L120`, `#L120-L140`, `#L120.2-L120.9`; null for anything else. */
export function rangeOf(hash: string): LineRange | null {
  const found = /^#?L(\d{1,15})(?:\.(\d{1,9}))?(?:-L(\d{1,15})(?:\.(\d{1,9}))?)?$/.exec(hash)
  if (!found) return null
  const from = [Number(found[1]), Number(found[2] ?? 1)] as const
  const to = found[3] === undefined ? from : ([Number(found[3]), Number(found[4] ?? 1)] as const)
  return isBefore(to, from) ? { from: to, to: from } : { from, to }
}

/** Whether a range covers a line. */
export function covers(range: LineRange | null, { seq, at }: Pick<TerminalLine, 'seq' | 'at'>): boolean {
  return range !== null && !isBefore([seq, at], range.from) && !isBefore(range.to, [seq, at])
}

/** The first line at or behind a place; the number of lines where there is none. */
export function lineAt(lines: readonly TerminalLine[], [seq, at]: readonly [number, number]): number {
  let [low, high] = [0, lines.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const line = lines[middle]
    if (line && isBefore([line.seq, line.at], [seq, at])) low = middle + 1
    else high = middle
  }
  return low
}

function isBefore(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}
