/** The figures of one agent or version as cells, in the order of `HEADS`. */
import { Link } from '@tanstack/react-router'
import { Rate } from '@/features/charts/rate'
import type { Figures } from '@/features/charts/stretches'
import { whole } from '@/features/charts/written'
import { duration, money, relative } from '@/lib/format'
import { HEADS } from './heads'
import type { Column } from './order'

interface CellsProps {
  readonly figures: Figures | null
  readonly now: number
  /** What finds the runs. */
  readonly query?: string
}

export function Cells({ figures, now, query }: CellsProps) {
  return HEADS.map(({ column, className }) => (
    <td key={column} className={`px-2 text-right whitespace-nowrap last:pr-4 ${className}`}>{figures ? <Value column={column} figures={figures} now={now} {...(query === undefined ? {} : { query })} /> : <span className="text-muted">–</span>}</td>
  ))
}

function Value({ column, figures, now, query }: CellsProps & { readonly column: Column; readonly figures: Figures }) {
  const { duration_s: took, last_seen: seen } = figures
  if (column === 'success') return <Rate figures={figures} />
  if (column === 'runs') return query === undefined ? whole(figures.runs) : <Link to="/runs" search={{ q: query }} className="inline-block min-w-6 leading-6 text-accent hover:underline">{whole(figures.runs)}<span className="sr-only"> runs</span></Link>
  if (column === 'cost') return money(figures.cost_usd)
  if (column === 'price') return money(figures.cost_per_success_usd)
  if (column === 'seen') return seen === null ? '–' : <time dateTime={seen} title={seen} className="text-muted">{relative(Date.parse(seen), now)}</time>
  return column === 'name' || took === null ? '–' : duration(took[column] * 1000)
}
