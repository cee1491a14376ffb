/** A table of any length of which only the rows in sight are made; on a phone each row is a card. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react'
import { plain } from '@/lib/ansi'
import { duration, elapsed, relative } from '@/lib/format'
import type { Sort, SortKey } from '@/lib/runs-list'
import { describe, type Run } from '@/lib/words'
import { StateChip } from '@/ui/chip'
import type { Column } from './columns'

const ROW = 32
const CARD = 60
const NEAR_END = 30

export interface GridProps {
  readonly box: RefObject<HTMLDivElement | null>
  readonly rows: readonly Run[]
  readonly columns: readonly Column[]
  readonly sort: Sort
  readonly now: number
  readonly isNarrow: boolean
  readonly isOld: boolean
  readonly hasMore: boolean
  readonly active: number | null
  readonly selected: ReadonlySet<number>
  readonly startAt: number
  readonly onSort: (key: SortKey) => void
  readonly onOpen: (id: number) => void
  readonly onActive: (id: number) => void
  readonly onSelect: (id: number, isRange: boolean) => void
  readonly onSelectAll: (isAll: boolean) => void
  readonly onScroll: (top: number) => void
  readonly onMore: () => void
}

export function Grid(props: GridProps) {
  'use no memo' // The virtualiser's answers change without its identity changing.
  const { box, rows, columns, isNarrow, hasMore, active, onMore } = props
  const height = isNarrow ? CARD : ROW
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length, estimateSize: () => height, getItemKey: (at) => rows[at]?.id ?? at, getScrollElement: () => box.current, overscan: 10,
    initialOffset: props.startAt, scrollPaddingStart: isNarrow ? 0 : ROW,
  })
  useEffect(() => { virtual.measure() }, [virtual, height])
  useAnchor(box, rows, height)
  const at = active === null ? -1 : rows.findIndex((run) => run.id === active)
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at)
    // Only when another row became the active one: new rows above it are no reason to scroll.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [active])
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (hasMore && last >= rows.length - NEAR_END) onMore()
  }, [hasMore, last, rows.length, onMore])
  const tracks = `36px ${columns.map((each) => each.width).join(' ')}`
  return (
    <div
      ref={box} role="grid" aria-label="Runs" aria-rowcount={hasMore ? -1 : rows.length + 1} aria-multiselectable="true" tabIndex={0}
      aria-activedescendant={at >= 0 ? `run-${active}` : undefined} aria-busy={props.isOld}
      className={`h-full overflow-auto focus-visible:-outline-offset-2 ${props.isOld ? 'opacity-60' : ''}`} style={{ overflowAnchor: 'none' }}
      onScroll={(event) => props.onScroll(event.currentTarget.scrollTop)}
    >
      <div className="min-w-fit">
        <Head {...props} tracks={tracks} />
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const run = rows[item.index]
            return run ? <Row key={run.id} {...props} run={run} index={item.index} top={item.start} height={height} tracks={tracks} /> : null
          })}
        </div>
      </div>
    </div>
  )
}

/** Keeps what is read in its place while rows come and go above it; at the very top new rows are what one waits for. */
function useAnchor(box: RefObject<HTMLDivElement | null>, rows: readonly Run[], height: number): void {
  const before = useRef(rows)
  useLayoutEffect(() => {
    const element = box.current
    const old = before.current
    before.current = rows
    if (!element || old === rows || element.scrollTop < height) return
    const top = Math.floor(element.scrollTop / height)
    const anchor = old[top]
    const now = anchor ? rows.findIndex((run) => run.id === anchor.id) : -1
    if (now >= 0 && now !== top) element.scrollBy({ top: (now - top) * height, behavior: 'instant' })
  }, [box, rows, height])
}

function Head({ columns, sort, rows, selected, isNarrow, tracks, onSort, onSelectAll }: GridProps & { readonly tracks: string }) {
  const areAll = rows.length > 0 && rows.every((run) => selected.has(run.id))
  return (
    <div role="rowgroup" className={isNarrow ? 'sr-only' : 'sticky top-0 z-10'}>
      <div role="row" aria-rowindex={1} className="grid h-8 items-center border-b border-line bg-raised text-xs text-muted" style={{ gridTemplateColumns: tracks }}>
        <span role="columnheader" className="grid place-items-center">
          <label className="grid size-6 place-items-center">
            <input type="checkbox" aria-label="Select all loaded runs" className="size-3.5 accent-accent" checked={areAll} ref={(box) => { if (box) box.indeterminate = selected.size > 0 && !areAll }} onChange={() => onSelectAll(!areAll)} />
          </label>
        </span>
        {columns.map((column) => {
          const isSorted = column.sort === sort.key && !(column.key === 'id')
          const Arrow = sort.isDescending ? ArrowDown : ArrowUp
          const order = isSorted ? (sort.isDescending ? 'descending' : 'ascending') : undefined
          const align = column.isNumber ? 'justify-end' : ''
          const key = column.sort
          return (
            <span key={column.key} role="columnheader" aria-sort={order} className={`flex min-w-0 ${align}`}>
              {key && column.key !== 'id'
                ? <button type="button" onClick={() => onSort(key)} className={`flex h-7 min-w-0 items-center gap-1 rounded px-2 hover:bg-hover hover:text-ink ${isSorted ? 'font-semibold text-ink' : 'font-medium'}`}>{column.title}{isSorted ? <Arrow aria-hidden="true" className="size-3" /> : null}</button>
                : <span className="truncate px-2 font-medium">{column.title}</span>}
            </span>
          )
        })}
      </div>
    </div>
  )
}

interface RowProps extends GridProps {
  readonly run: Run
  readonly index: number
  readonly top: number
  readonly height: number
  readonly tracks: string
}

function Row({ run, index, top, height, tracks, ...grid }: RowProps) {
  const { columns, now, isNarrow, active, selected, onActive, onSelect, onOpen } = grid
  const isSelected = selected.has(run.id)
  const look = isSelected ? 'bg-selected' : 'hover:bg-hover'
  const mark = active === run.id ? 'shadow-[inset_2px_0_0_var(--accent)]' : ''
  const shape = isNarrow ? 'flex gap-1 pr-3' : 'grid'
  return (
    <div
      role="row" id={`run-${run.id}`} aria-rowindex={index + 2} aria-selected={isSelected} onClick={() => onActive(run.id)} onDoubleClick={() => onOpen(run.id)}
      className={`absolute inset-x-0 top-0 items-center border-b border-line-soft ${shape} ${look} ${mark}`}
      style={{ height, transform: `translateY(${top}px)`, ...(isNarrow ? {} : { gridTemplateColumns: tracks }) }}
    >
      <span role="gridcell" className={`grid place-items-center ${isNarrow ? 'w-11 shrink-0' : ''}`}>
        <label className={`grid place-items-center ${isNarrow ? 'size-11' : 'size-6'}`} onClick={(event) => event.stopPropagation()}>
          <input type="checkbox" tabIndex={-1} aria-label={`Select run ${run.id}`} className="size-3.5 accent-accent" checked={isSelected} onClick={(event) => onSelect(run.id, event.shiftKey)} onChange={() => undefined} />
        </label>
      </span>
      {isNarrow ? <CardCell run={run} now={now} onOpen={onOpen} /> : columns.map((column) => (
        <span key={column.key} role="gridcell" className={`min-w-0 truncate px-2 ${column.isNumber ? 'text-right' : ''}`}>
          {column.key === 'title' ? <RunLink run={run} onOpen={onOpen} /> : column.cell(run, now)}
        </span>
      ))}
    </div>
  )
}

function RunLink({ run, onOpen }: { readonly run: Run; readonly onOpen: (id: number) => void }) {
  return (
    <a
      href={`${import.meta.env.BASE_URL}runs/${run.id}`} tabIndex={-1} title={plain(run.title)} className="hover:underline"
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
        event.preventDefault()
        event.stopPropagation()
        onOpen(run.id)
      }}
    >
      {plain(run.title)}
    </a>
  )
}

function CardCell({ run, now, onOpen }: { readonly run: Run; readonly now: number; readonly onOpen: (id: number) => void }) {
  return (
    <span role="gridcell" className="min-w-0 flex-1" onClick={() => onOpen(run.id)}>
      <span className="block truncate font-medium"><RunLink run={run} onOpen={onOpen} /></span>
      <span className="mt-0.5 flex items-center gap-2 text-xs text-muted">
        <StateChip word={describe(run)} />
        <span className="min-w-0 truncate">{run.agent ? plain(run.agent) : run.backend}</span>
        <span className="ml-auto shrink-0">{run.started_at ? duration(elapsed(run, now)) : ''}</span>
        <span className="shrink-0">{relative(Date.parse(run.created_at), now)}</span>
      </span>
    </span>
  )
}
