/** The run as a story: turns, calls with their results, messages and output, as they happen. */
import { useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState, type Ref } from 'react'
import { type Entry, placeOf, QUIET, Story } from '@/lib/story'
import { isTerminal } from '@/lib/words'
import { Button } from '@/ui/button'
import { Empty, Skeleton } from '@/ui/states'
import { Begin, Edge } from './edge'
import { FollowButton } from './follow-button'
import { isMarked, Minimap } from './minimap'
import { type Part, useFollowing } from './part'
import { StreamList, type StreamHandle } from './stream-list'
import { TimelineRow } from './timeline-row'
import { Toolbar } from './toolbar'
import { TypeFilter } from './type-filter'
import type { ViewHandle } from './view-handle'

const ROW = 28

interface TimelineTabProps extends Part {
  readonly story: Story
  readonly handle: Ref<ViewHandle>
  readonly tools: React.ReactNode
}

export function TimelineTab({ watch, watched, run, now, attempt, selected, onSelect, mark, isClock, story, handle, tools }: TimelineTabProps) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(QUIET)
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set())
  const following = useFollowing(watch, selected !== null)
  const { isFollowing, onFollow } = following
  const list = useRef<StreamHandle>(null)
  const { revision } = watched
  // The story is one object that grows: its revision says when to look again.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const rows = useMemo(() => story.shown({ hidden, folded, attempt }), [story, revision, hidden, folded, attempt])
  const owner = selected === null ? undefined : story.owner(selected)
  const chosen = owner ? exact(rows, owner.seq) : -1
  const longest = useMemo(() => longestOf(rows), [rows])

  const select = (at: number) => {
    const entry = rows[Math.max(0, Math.min(rows.length - 1, at))]
    if (!entry) return
    onFollow(false)
    onSelect(entry.seq)
  }
  const shownFor = useRef<number | null>(null)
  useEffect(() => {
    if (selected === null || chosen < 0 || shownFor.current === selected) return
    list.current?.show(chosen, shownFor.current === null ? 'center' : 'auto')
    shownFor.current = selected
  }, [selected, chosen])
  useEffect(() => { if (selected === null) shownFor.current = null }, [selected])

  useImperativeHandle(handle, () => ({
    move: (by) => select(chosen < 0 ? (by > 0 ? 0 : rows.length - 1) : chosen + by),
    start: () => { onFollow(false); list.current?.awaitStart(); watch.begin() },
    end: () => onFollow(true),
    follow: () => onFollow(!isFollowing),
    leave: () => { if (isFollowing) onFollow(false) },
    problem: (isForward) => {
      const seqs = rows.filter(isMarked).map((each) => each.seq)
      const from = rows[chosen]?.seq ?? null
      const next = isForward ? seqs.find((each) => from === null || each > from) : seqs.findLast((each) => from === null || each < from)
      if (next !== undefined) { onFollow(false); onSelect(next) }
    },
    go: (seq) => { onFollow(false); onSelect(seq); void watch.window.around(seq) },
  }))

  const fold = (seq: number) => setFolded((before) => { const next = new Set(before); if (!next.delete(seq)) next.add(seq); return next })
  const keyOf = useCallback((at: number) => String(rows[at]?.seq ?? `at ${at}`), [rows])
  const turns = rows.filter((each) => each.kind === 'turn')
  const isLive = !isTerminal(run.status)
  const zero = Date.parse(run.started_at ?? run.created_at)
  return (
    <div className="flex h-full flex-col">
      <Toolbar>
        {tools}
        <Begin watch={watch} />
        {turns.length > 1 ? <Button size="small" look="quiet" onClick={() => setFolded(folded.size > 0 ? new Set() : new Set(turns.map((each) => each.seq)))}>{folded.size > 0 ? 'Unfold turns' : 'Fold turns'}</Button> : null}
        <TypeFilter counts={story.counts} hidden={hidden} onHide={setHidden} />
      </Toolbar>
      <div className="relative min-h-0 flex-1">
        <Edge watch={watch} />
        <Placeholder rows={rows} story={story} watched={watched} onShowAll={() => setHidden(new Set())} />
        <StreamList
          label="Timeline" count={rows.length} rowHeight={ROW} keyOf={keyOf} indexOf={(key) => placeOf(rows, Number(key))} isFollowing={isFollowing} onFollow={onFollow} handle={list}
          selected={chosen} onMove={(by) => select(chosen < 0 ? rows.length - 1 : chosen + by)} hasBefore={watch.window.hasOlder} onNearStart={() => void watch.window.older()} onNearEnd={() => void watch.window.newer()}
          rowClass="border-b border-line-soft hover:bg-hover aria-selected:bg-selected"
        >
          {(at) => {
            const entry = rows[at]
            return entry ? <TimelineRow entry={entry} isFolded={folded.has(entry.seq)} onFold={() => fold(entry.seq)} onSelect={() => select(at)} zero={zero} isClock={isClock} mark={mark} now={now} isActive={isLive} longest={longest} /> : null
          }}
        </StreamList>
        <Minimap entries={rows} onGo={(seq) => { onFollow(false); onSelect(seq) }} />
        <FollowButton following={following} isLive={isLive} isAtEnd={!watch.window.hasNewer} />
      </div>
    </div>
  )
}

function Placeholder({ rows, story, watched, onShowAll }: { readonly rows: readonly Entry[]; readonly story: Story; readonly watched: Part['watched']; readonly onShowAll: () => void }) {
  if (rows.length > 0) return null
  if (story.entries.length > 0) return <Empty title="Every event is hidden"><Button onClick={onShowAll}>Show all types</Button></Empty>
  return watched.connection.kind === 'connecting' ? <Skeleton rows={12} /> : <Empty title="Nothing has happened yet">What the run does appears here at once.</Empty>
}

function exact(rows: readonly Entry[], seq: number): number {
  const at = placeOf(rows, seq)
  return rows[at]?.seq === seq ? at : -1
}

function longestOf(rows: readonly Entry[]): number {
  return rows.reduce((most, { kind, end, event }) => (end && (kind === 'tool' || kind === 'span') ? Math.max(most, Date.parse(end.ts) - Date.parse(event.ts)) : most), 0)
}
