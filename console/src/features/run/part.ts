/** What every view of a run is given, and how it follows the live end. */
import { useState } from 'react'
import type { RunWatch, Watched } from '@/lib/run-watch'
import type { Run } from '@/lib/words'

export interface Part {
  readonly watch: RunWatch
  readonly watched: Watched
  readonly run: Run
  /** The server's present; it stands while nothing is known. */
  readonly now: number
  readonly attempt: number | null
  /** The event that is chosen. */
  readonly selected: number | null
  readonly onSelect: (seq: number | null) => void
  /** What is searched for, in lower case. */
  readonly mark: string
  readonly isWrapped: boolean
  readonly isClock: boolean
}

export interface Following {
  readonly isFollowing: boolean
  readonly onFollow: (isFollowing: boolean) => void
  /** How many events came since one left the end. */
  readonly fresh: number
}

/** Follows from the start, unless one came to look at a certain place. */
export function useFollowing(watch: RunWatch, isPinned: boolean): Following {
  const { timeline, window } = watch
  const [left, setLeft] = useState<number | null>(isPinned ? timeline.known : null)
  return {
    isFollowing: left === null,
    fresh: left === null ? 0 : Math.max(0, timeline.known - left),
    onFollow: (isFollowing) => {
      setLeft(isFollowing ? null : timeline.known)
      if (isFollowing) void window.end()
    },
  }
}
