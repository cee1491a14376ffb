/** A chart with its title and legend, which tells the stretch under the cursor, and the same figures as a table. */
import { Link } from '@tanstack/react-router'
import { ChartColumn, Table2 } from 'lucide-react'
import { lazy, Suspense, useId, useMemo, useState } from 'react'
import type { Column, Kind } from './columns'
import { Panel } from './panel'
import { type Range, between, snapped, terms } from './range'
import { type Stretch, when } from './stretches'

const Plot = lazy(() => import('./plot'))
const HEIGHT = 208

interface ChartProps {
  readonly title: string
  /** What one column or point is of: `per hour`. */
  readonly note?: string
  readonly kind: Kind
  readonly stretches: readonly Stretch[]
  readonly columns: readonly Column[]
  readonly write: (value: number | null) => string
  readonly marks: { readonly distances?: readonly number[]; readonly write: (value: number) => string }
  /** Each column's figure for the whole time; in the order of `columns`. */
  readonly totals: readonly (number | null)[]
  /** What the query of the runs of a stretch begins with. */
  readonly query?: string
  readonly onRange: (range: Range) => void
  readonly onOpen: (query: string) => void
  readonly empty: string
}

export function Chart(props: ChartProps) {
  const { title, note, stretches, columns, query = '' } = props
  const [isTable, setTable] = useState(false)
  const [hovered, setHovered] = useState<number | null>(null)
  // The cursor's way over the chart draws it anew only if this stays the same.
  const starts = useMemo(() => stretches.map((each) => each.start), [stretches])
  const at = hovered === null ? undefined : stretches[hovered]
  const isEmpty = columns.every(({ values }) => values.every((each) => each === null || each === 0))
  const queryOf = ({ start, end }: Stretch) => `${query.trim()} ${terms(between(start, end))}`.trim()
  const Icon = isTable ? ChartColumn : Table2
  const toggle = (
    <button
      type="button" aria-label={`${title} as ${isTable ? 'chart' : 'table'}`} title={isTable ? 'Show as chart' : 'Show as table'}
      className="grid size-6 place-items-center rounded text-muted hover:text-ink" onClick={() => { setTable(!isTable); setHovered(null) }}
    >
      <Icon aria-hidden="true" className="size-3.5" />
    </button>
  )
  return (
    <Panel title={title} note={at ? when(at) : note} actions={isEmpty ? null : toggle}>
      {isEmpty ? <p className="grid place-items-center px-4 text-center text-muted" style={{ height: HEIGHT + 28 }}>{props.empty}</p> : (
        <>
          <Legend {...props} hovered={at ? hovered : null} />
          {isTable ? <Values {...props} queryOf={queryOf} /> : (
            <div role="img" aria-label={`${title}: ${spoken(props)}`} className="px-2">
              <Suspense fallback={<div style={{ height: HEIGHT }} />}>
                <Plot
                  kind={props.kind} columns={columns} starts={starts} stepMs={stepOf(stretches)} height={HEIGHT} marks={props.marks}
                  onHover={(index) => setHovered(index !== null && stretches[index] ? index : null)}
                  onOpen={(index) => { const one = stretches[index]; if (one) props.onOpen(queryOf(one)) }}
                  onMark={(from, to) => props.onRange(snapped(from, to, stepOf(stretches)))}
                />
              </Suspense>
            </div>
          )}
        </>
      )}
    </Panel>
  )
}

const stepOf = ([first]: readonly Stretch[]) => (first ? first.end - first.start : 1)

function spoken({ columns, totals, write }: ChartProps): string {
  return columns.map(({ label }, at) => `${label} ${write(totals[at] ?? null)}`).join(', ')
}

function Legend({ kind, columns, totals, write, hovered }: ChartProps & { readonly hovered: number | null }) {
  return (
    <dl className="flex min-h-7 flex-wrap items-center gap-x-4 px-4 text-xs whitespace-nowrap">
      {columns.map((column, at) => (
        <div key={column.key} className="flex items-center gap-1.5">
          <dt className="flex items-center gap-1.5 text-muted"><Swatch kind={kind} column={column} />{column.label}</dt>
          <dd className="min-w-8 font-medium">{write((hovered === null ? totals[at] : column.values[hovered]) ?? null)}</dd>
        </div>
      ))}
    </dl>
  )
}

function Swatch({ kind, column: { tone, dash } }: { readonly kind: Kind; readonly column: Column }) {
  if (kind === 'bars') return <span aria-hidden="true" className="size-2 rounded-[2px]" style={{ background: `color-mix(in srgb, var(--${tone}) 78%, var(--surface))` }} />
  return (
    <svg aria-hidden="true" width="16" height="4" className="shrink-0">
      <line x1="0" y1="2" x2="16" y2="2" stroke={`var(--${tone})`} strokeWidth="2" {...(dash ? { strokeDasharray: dash.join(' ') } : {})} />
    </svg>
  )
}

function Values({ title, columns, stretches, write, queryOf, onRange }: ChartProps & { readonly queryOf: (stretch: Stretch) => string }) {
  const id = useId()
  return (
    <div className="overflow-auto border-t border-line" style={{ height: HEIGHT }} tabIndex={0} role="group" aria-labelledby={id}>
      <table className="w-full text-xs">
        <caption id={id} className="sr-only">{title}</caption>
        <thead className="sticky top-0 bg-surface text-muted">
          <tr className="h-7">
            <th scope="col" className="pl-4 text-left font-medium">When</th>
            {columns.map(({ key, label }) => <th key={key} scope="col" className="px-2 text-right font-medium">{label}</th>)}
            <th scope="col" className="pr-4"><span className="sr-only">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {stretches.map((each, at) => (
            <tr key={each.start} className="h-7 border-t border-line-soft">
              <th scope="row" className="pl-4 text-left font-normal whitespace-nowrap">{when(each)}</th>
              {columns.map(({ key, values }) => <td key={key} className="px-2 text-right">{write(values[at] ?? null)}</td>)}
              <td className="pr-4 text-right whitespace-nowrap">
                <button type="button" className="mr-2 min-h-6 text-accent hover:underline" onClick={() => onRange(between(each.start, each.end))}>Zoom<span className="sr-only"> in to {when(each)}</span></button>
                <Link to="/runs" search={{ q: queryOf(each) }} className="inline-block min-h-6 content-center text-accent hover:underline">Runs<span className="sr-only"> of {when(each)}</span></Link>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
