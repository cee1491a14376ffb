/** Heads of columns that order a table when they are pressed. */
import { ArrowDown, ArrowUp } from 'lucide-react'
import type { Column, Order } from './order'

export interface Head {
  readonly column: Column
  readonly label: string
  /** What the figure is, in a sentence. */
  readonly title: string
  readonly className: string
}

export const HEADS: readonly Head[] = [
  { column: 'success', label: 'Success', title: 'Completed among completed and failed runs, and where that rate lies at 95 %', className: '' },
  { column: 'runs', label: 'Runs', title: 'Runs that ended', className: '' },
  { column: 'p50', label: 'p50', title: 'Half of the runs took no longer', className: 'hidden md:table-cell' },
  { column: 'p95', label: 'p95', title: '95 of 100 runs took no longer', className: 'hidden lg:table-cell' },
  { column: 'p99', label: 'p99', title: '99 of 100 runs took no longer', className: 'hidden lg:table-cell' },
  { column: 'cost', label: 'Cost', title: 'Of all runs, failed ones too', className: 'hidden sm:table-cell' },
  { column: 'price', label: 'Per success', title: 'The cost of all runs by those that completed', className: '' },
  { column: 'seen', label: 'Last ended', title: 'When a run last ended', className: 'hidden md:table-cell' },
]

interface SortHeadProps {
  readonly head: Head
  readonly order: Order
  readonly onPress: (column: Column) => void
  readonly isFirst?: boolean
}

export function SortHead({ head: { column, label, title, className }, order, onPress, isFirst = false }: SortHeadProps) {
  const isOn = order.column === column
  const Arrow = order.isDown ? ArrowDown : ArrowUp
  return (
    <th scope="col" aria-sort={isOn ? (order.isDown ? 'descending' : 'ascending') : undefined} className={`font-medium ${isFirst ? 'pl-4 text-left' : 'px-2 text-right last:pr-4'} ${className}`}>
      <button type="button" title={title} onClick={() => onPress(column)} className={`inline-flex min-h-7 items-center gap-0.5 whitespace-nowrap hover:text-ink ${isOn ? 'text-ink' : ''}`}>
        {label}{isOn ? <Arrow aria-hidden="true" className="size-3" /> : null}
      </button>
    </th>
  )
}
