/** A list of any length of which only the rows in sight are made; all rows have one height. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useRef } from 'react'

interface VirtualListProps {
  readonly label: string
  readonly count: number
  readonly rowHeight: number
  readonly keyOf: (index: number) => string | number
  readonly children: (index: number) => ReactNode
}

export function VirtualList({ label, count, rowHeight, keyOf, children }: VirtualListProps) {
  'use no memo' // The virtualiser's answers change without its identity changing.
  const box = useRef<HTMLDivElement>(null)
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({ count, estimateSize: () => rowHeight, getItemKey: keyOf, getScrollElement: () => box.current, overscan: 8 })
  return (
    <div ref={box} role="grid" aria-label={label} aria-rowcount={count} tabIndex={0} className="h-full overflow-auto">
      <div role="rowgroup" className="relative w-full" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => (
          <div
            key={row.key} role="row" aria-rowindex={row.index + 1} className="absolute inset-x-0 top-0 flex items-center border-b border-line-soft"
            style={{ height: rowHeight, transform: `translateY(${row.start}px)` }}
          >
            {children(row.index)}
          </div>
        ))}
      </div>
    </div>
  )
}
