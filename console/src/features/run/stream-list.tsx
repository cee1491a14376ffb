/** A list that grows at its end: only the rows in sight are made, the end is followed, and what one reads stays where it is. */
import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, type Ref, useId, useImperativeHandle, useLayoutEffect, useRef } from 'react'
import { follows, NEAR_PX, touchOf, type Touch } from '@/lib/follow'

export interface StreamHandle {
  /** Bring a row into sight; the least movement that does it, or to the middle. */
  show: (index: number, where?: 'auto' | 'center') => void
  /** Go to the first row as soon as nothing is before it. */
  awaitStart: () => void
}

interface StreamListProps {
  readonly label: string
  readonly count: number
  /** The height of a row; the least one where rows are measured. */
  readonly rowHeight: number
  readonly isMeasured?: boolean
  readonly keyOf: (index: number) => string
  /** Where a row with this key is now; -1 where it is no more. */
  readonly indexOf: (key: string) => number
  readonly isFollowing: boolean
  readonly onFollow: (isFollowing: boolean) => void
  readonly selected?: number
  readonly onMove?: (by: number) => void
  /** Whether there is more before the first row. */
  readonly hasBefore: boolean
  readonly onNearStart: () => void
  readonly onNearEnd: () => void
  readonly handle: Ref<StreamHandle>
  readonly rowClass?: string
  readonly children: (index: number) => ReactNode
}

interface Anchor {
  readonly key: string
  readonly start: number
}

const MOVES: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 }
/** As near to an end as this, more is fetched. */
const FETCH_PX = 1200
const OVERSCAN = 6

/** The rows at the end, of which a burst would show others by the time that the list has scrolled there. */
function lastRows({ startIndex, endIndex, overscan, count }: Range): number[] {
  const length = Math.min(count, endIndex - startIndex + 1 + overscan)
  return Array.from({ length }, (_, at) => count - length + at)
}

/** While the end is followed, rows that leave at the top are used again at the bottom: filling them costs less than new ones. */
function slotOf(index: number, shown: number): string {
  return `slot ${index % 2 ** Math.ceil(Math.log2(Math.max(64, shown)))}`
}

export function StreamList(props: StreamListProps) {
  'use no memo' // The virtualiser's answers change without its identity changing.
  const { label, count, rowHeight, isMeasured = false, keyOf, indexOf, isFollowing, onFollow, selected = -1, onMove, hasBefore, onNearStart, onNearEnd, handle, rowClass = '', children } = props
  const box = useRef<HTMLDivElement>(null)
  const anchor = useRef<Anchor | null>(null)
  const lastTop = useRef(0)
  const ourTop = useRef(-1)
  const isStartAwaited = useRef(false)
  const id = useId()
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({
    count, estimateSize: () => rowHeight, getScrollElement: () => box.current, overscan: OVERSCAN,
    // Only heights that were measured need to be known by row; the others are equal.
    ...(isMeasured ? { getItemKey: keyOf } : {}),
    // Where the end is followed the rows are there before it is scrolled to, and a second drawing may wait.
    rangeExtractor: isFollowing ? lastRows : defaultRangeExtractor, useFlushSync: !isFollowing,
  })
  const total = rows.getTotalSize()
  const items = rows.getVirtualItems()

  const put = (top: number) => {
    const at = box.current
    if (!at || Math.abs(at.scrollTop - top) < 1) return
    at.scrollTop = top
    ourTop.current = lastTop.current = at.scrollTop
  }
  const startOf = (index: number) => (isMeasured ? (rows.measurementsCache[index]?.start ?? index * rowHeight) : index * rowHeight)
  const remember = (top: number) => {
    const first = isMeasured ? (rows.getVirtualItemForOffset(top)?.index ?? 0) : Math.floor(top / rowHeight)
    anchor.current = first < count ? { key: keyOf(first), start: startOf(first) } : null
  }
  // Moved by what the row in sight was moved, and not at all where it was not: a scroll under way goes on.
  const keep = (at: HTMLElement) => {
    const index = anchor.current ? indexOf(anchor.current.key) : -1
    if (!anchor.current || index < 0 || index >= count) return
    const moved = startOf(index) - anchor.current.start
    if (moved === 0) return
    put(at.scrollTop + moved)
    remember(at.scrollTop)
  }
  const touch = (what: Touch) => {
    const next = follows(isFollowing, what)
    if (next !== isFollowing) onFollow(next)
  }

  useLayoutEffect(() => {
    const at = box.current
    if (!at) return
    if (isFollowing) {
      // Asked after the height is set: the browser knows best where the end is, and lays out only once.
      at.scrollTop = total
      ourTop.current = lastTop.current = at.scrollTop
      return
    }
    if (isStartAwaited.current && !hasBefore) {
      isStartAwaited.current = false
      put(0)
      remember(0)
      return
    }
    keep(at)
    if (at.scrollTop < FETCH_PX) onNearStart()
  })

  useImperativeHandle(handle, () => ({
    show(index, where = 'auto') {
      const at = box.current
      if (!at || index < 0 || index >= count) return
      const top = startOf(index)
      const bottom = top + (isMeasured ? (rows.measurementsCache[index]?.size ?? rowHeight) : rowHeight)
      if (where === 'center') put(Math.max(0, top - at.clientHeight / 2))
      else if (top < at.scrollTop) put(top)
      else if (bottom > at.scrollTop + at.clientHeight) put(bottom - at.clientHeight)
      remember(at.scrollTop)
    },
    awaitStart() { isStartAwaited.current = true },
  }))

  const scrolled = () => {
    const at = box.current
    if (!at) return
    const { scrollTop: top, scrollHeight, clientHeight } = at
    const fromEnd = scrollHeight - clientHeight - top
    touch({ kind: 'scrolled', before: lastTop.current, top, fromEnd, isOurs: Math.abs(top - ourTop.current) < 1 })
    lastTop.current = top
    ourTop.current = -1
    remember(top)
    if (top < FETCH_PX) onNearStart()
    if (fromEnd < FETCH_PX) onNearEnd()
  }
  const press = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return
    const what = touchOf(event.key)
    if (what) touch(what)
    const by = MOVES[event.key]
    if (by !== undefined && onMove) {
      event.preventDefault()
      onMove(by)
    }
  }

  return (
    <div
      ref={box} role="grid" aria-label={label} aria-rowcount={count} tabIndex={0} aria-activedescendant={items.some((each) => each.index === selected) ? `${id}-${selected}` : undefined}
      className="h-full overflow-auto overscroll-contain outline-offset-[-2px] [overflow-anchor:none]" onScroll={scrolled} onKeyDown={press}
      onWheel={(event) => { if (event.deltaY < 0 && (box.current?.scrollTop ?? 0) > 0) touch({ kind: 'away' }) }}
      onTouchMove={() => { if (box.current && box.current.scrollHeight - box.current.clientHeight - box.current.scrollTop > NEAR_PX) touch({ kind: 'away' }) }}
    >
      <div role="rowgroup" className="relative w-full" style={{ height: total }}>
        {items.map((row) => (
          <div
            key={isMeasured || !isFollowing ? keyOf(row.index) : slotOf(row.index, items.length)} id={`${id}-${row.index}`} role="row" aria-rowindex={row.index + 1} aria-selected={row.index === selected} data-index={row.index} ref={isMeasured ? rows.measureElement : null}
            className={`absolute top-0 left-0 flex w-full ${rowClass}`} style={{ transform: `translateY(${row.start}px)`, ...(isMeasured ? { minHeight: rowHeight } : { height: rowHeight }) }}
          >
            {children(row.index)}
          </div>
        ))}
      </div>
    </div>
  )
}
