/** Which runs are picked: one by one, a range, all that are loaded, or all that match. */
import { useCallback, useMemo, useState } from 'react'
import type { Target } from '@/lib/bulk'
import type { Run } from '@/lib/words'

export interface Selection {
  readonly ids: ReadonlySet<number>
  /** All that the query finds, loaded or not. */
  readonly isAllMatching: boolean
  readonly pick: (id: number, isRange: boolean) => void
  readonly pickLoaded: (isAll: boolean) => void
  readonly pickMatching: () => void
  readonly clear: () => void
}

const NONE: ReadonlySet<number> = new Set()

export function useSelection(rows: readonly Run[]): Selection {
  const [ids, setIds] = useState(NONE)
  const [isAllMatching, setAllMatching] = useState(false)
  const [from, setFrom] = useState<number | null>(null)
  const pick = useCallback((id: number, isRange: boolean) => {
    setIds((now) => (isRange && from !== null ? withRange(now, rows, from, id) : toggled(now, id)))
    setAllMatching(false)
    setFrom(id)
  }, [rows, from])
  const pickLoaded = useCallback((isAll: boolean) => {
    setIds(isAll ? new Set(rows.map((run) => run.id)) : NONE)
    setAllMatching(false)
  }, [rows])
  const clear = useCallback(() => {
    setIds(NONE)
    setAllMatching(false)
    setFrom(null)
  }, [])
  return useMemo(() => ({ ids, isAllMatching, pick, pickLoaded, pickMatching: () => setAllMatching(true), clear }), [ids, isAllMatching, pick, pickLoaded, clear])
}

/** What a deed would be done to. */
export function targetOf({ ids, isAllMatching }: Selection, q: string): Target {
  return isAllMatching ? { q } : { ids: [...ids] }
}

function toggled(ids: ReadonlySet<number>, id: number): ReadonlySet<number> {
  const next = new Set(ids)
  if (!next.delete(id)) next.add(id)
  return next
}

function withRange(ids: ReadonlySet<number>, rows: readonly Run[], from: number, to: number): ReadonlySet<number> {
  const ends = [from, to].map((id) => rows.findIndex((run) => run.id === id))
  const [first, last] = [Math.min(...ends), Math.max(...ends)]
  return first < 0 ? toggled(ids, to) : new Set([...ids, ...rows.slice(first, last + 1).map((run) => run.id)])
}
