/** Two panes with a handle between them; the right one keeps its width, and covers the left one on a narrow screen. */
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from 'react'
import { Pref } from '@/lib/prefs'
import { usePref } from '@/ui/pref'

const LEAST = 280
const MOST = 900
const STEP = 24

const width = new Pref<number>('inspector', 440, (found) => (typeof found === 'number' && found >= LEAST && found <= MOST ? found : undefined))

export function Split({ children, side, sideLabel }: { readonly children: ReactNode; readonly side: ReactNode | null; readonly sideLabel: string }) {
  const [kept, keep] = usePref(width)
  const [dragged, setDragged] = useState<number | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const wide = dragged ?? kept
  const bounded = (value: number) => Math.round(Math.min(MOST, Math.max(LEAST, Math.min(value, (box.current?.clientWidth ?? MOST) - 320))))
  const drag = (event: PointerEvent) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId) || !box.current) return
    setDragged(bounded(box.current.getBoundingClientRect().right - event.clientX))
  }
  const drop = () => {
    if (dragged !== null) keep(dragged)
    setDragged(null)
  }
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key]
    if (by === undefined) return
    event.preventDefault()
    keep(bounded(kept + by))
  }
  return (
    <div ref={box} className="relative flex h-full min-h-0">
      <div className="min-w-0 flex-1">{children}</div>
      {side === null ? null : (
        <>
          <div
            role="separator" aria-label={`Width of ${sideLabel}`} aria-orientation="vertical" aria-valuenow={wide} aria-valuemin={LEAST} aria-valuemax={MOST} tabIndex={0} onKeyDown={press}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)} onPointerMove={drag} onPointerUp={drop} onPointerCancel={drop}
            className="hidden w-1.5 shrink-0 cursor-col-resize touch-none border-l border-line hover:bg-hover focus-visible:bg-accent md:block"
          />
          <aside aria-label={sideLabel} className="absolute inset-0 z-10 w-full shrink-0 bg-surface md:static md:w-(--wide)" style={{ '--wide': `${wide}px` } as React.CSSProperties}>{side}</aside>
        </>
      )}
    </div>
  )
}
