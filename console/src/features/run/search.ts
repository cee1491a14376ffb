/** Where a text stands in the run: asked of the server once the person pauses, and kept up with what comes. */
import { useEffect, useMemo, useState } from 'react'
import { useAccess } from '@/features/access'
import { Hits } from '@/lib/hits'
import { type Found, joined, LONGEST, NOTHING, PAGE_HITS, searchRun } from '@/lib/run-search'
import type { RunWatch } from '@/lib/run-watch'

const PAUSE_MS = 250

interface Asked {
  readonly text: string
  readonly found: Found
  readonly problem: string | null
}

export interface Searched extends Found {
  readonly problem: string | null
}

export function useSearch(watch: RunWatch, id: number, revision: number, mark: string): Searched {
  const { client } = useAccess()
  const [asked, setAsked] = useState<Asked>({ text: '', found: NOTHING, problem: null })
  const hits = useMemo(() => new Hits(mark), [mark])
  const live = useMemo(() => {
    hits.update(watch.timeline)
    return hits.seqs.slice()
    // The timeline grows in place; its revision says when to look again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [hits, watch, revision])
  useEffect(() => {
    if (mark === '') return
    const stop = new AbortController()
    const ask = async (after: number, signal: AbortSignal) => {
      const query = { q: mark.slice(0, LONGEST), after, limit: PAGE_HITS }
      const { data } = await client.GET('/v1/runs/{run_id}/search', { params: { path: { run_id: id }, query }, signal })
      if (!data) throw new TypeError('The answer has no body.')
      return data
    }
    const timer = setTimeout(() => {
      searchRun(ask, stop.signal, (found) => { if (!stop.signal.aborted) setAsked({ text: mark, found, problem: null }) })
        .catch((error: unknown) => { if (!stop.signal.aborted) setAsked({ text: mark, found: NOTHING, problem: error instanceof Error ? error.message : 'The search failed.' }) })
    }, PAUSE_MS)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [client, id, mark])
  const isCurrent = asked.text === mark
  return useMemo(() => ({ ...joined(isCurrent ? asked.found : NOTHING, live), problem: isCurrent ? asked.problem : null }), [isCurrent, asked, live])
}

/** How many were found, as it is said beside the box. */
export function foundWords({ count, isComplete, problem }: Searched): string {
  const number = count.toLocaleString('en-US')
  if (problem !== null) return `${number} here; the rest could not be searched`
  return isComplete ? `${number} found` : `${number} found …`
}
