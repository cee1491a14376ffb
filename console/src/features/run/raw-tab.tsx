/** The events as the server has them, one a line, and all of them as a file. */
import { Download } from 'lucide-react'
import { useCallback, useEffect, useImperativeHandle, useRef, useState, type Ref } from 'react'
import { useAccess } from '@/features/access'
import { visible } from '@/lib/ansi'
import { runSource, type RunEvent } from '@/lib/run-source'
import { isTerminal } from '@/lib/words'
import { Button } from '@/ui/button'
import { useToast } from '@/ui/toast'
import { Marked } from './ansi-line'
import { eventsFile, save } from './download'
import { Begin, Edge } from './edge'
import { FollowButton } from './follow-button'
import { type Part, useFollowing } from './part'
import { StreamList, type StreamHandle } from './stream-list'
import { Toolbar } from './toolbar'
import type { ViewHandle } from './view-handle'

const ROW = 24
const MOST = 600

interface RawTabProps extends Part {
  readonly handle: Ref<ViewHandle>
  readonly tools: React.ReactNode
}

export function RawTab({ watch, run, attempt, selected, onSelect, mark, handle, tools }: RawTabProps) {
  const following = useFollowing(watch, selected !== null)
  const { isFollowing, onFollow } = following
  const list = useRef<StreamHandle>(null)
  const held = watch.timeline.rows
  const rows = attempt === null ? held : held.filter((each) => each.attempt === attempt)
  const chosen = selected === null ? -1 : placeIn(rows, selected)
  const select = (at: number) => {
    const event = rows[Math.max(0, Math.min(rows.length - 1, at))]
    if (!event) return
    onFollow(false)
    onSelect(event.seq)
  }
  const shownFor = useRef<number | null>(null)
  useEffect(() => {
    if (selected === null || chosen < 0 || shownFor.current === selected) return
    list.current?.show(chosen, shownFor.current === null ? 'center' : 'auto')
    shownFor.current = selected
  }, [selected, chosen])
  useImperativeHandle(handle, () => ({
    move: (by) => select(chosen < 0 ? rows.length - 1 : chosen + by),
    start: () => { onFollow(false); list.current?.awaitStart(); watch.begin() },
    end: () => onFollow(true),
    follow: () => onFollow(!isFollowing),
    leave: () => { if (isFollowing) onFollow(false) },
    problem: (isForward) => {
      const isBad = (each: RunEvent) => each.level === 'error'
      const found = isForward ? rows.slice(chosen + 1).find(isBad) : rows.slice(0, Math.max(0, chosen)).findLast(isBad)
      if (found) { onFollow(false); onSelect(found.seq) }
    },
    go: (seq) => { onFollow(false); onSelect(seq); void watch.window.around(seq) },
  }))
  const keyOf = useCallback((at: number) => String(rows[at]?.seq ?? `at ${at}`), [rows])
  return (
    <div className="flex h-full flex-col">
      <Toolbar>{tools}<Begin watch={watch} /><DownloadAll id={run.id} last={run.last_seq} /></Toolbar>
      <div className="relative min-h-0 flex-1">
        <Edge watch={watch} />
        <StreamList
          label="Events" count={rows.length} rowHeight={ROW} keyOf={keyOf} indexOf={(key) => placeIn(rows, Number(key))} isFollowing={isFollowing} onFollow={onFollow} handle={list} selected={chosen}
          onMove={(by) => select(chosen < 0 ? rows.length - 1 : chosen + by)} hasBefore={watch.window.hasOlder} onNearStart={() => void watch.window.older()} onNearEnd={() => void watch.window.newer()} rowClass="border-b border-line-soft hover:bg-hover aria-selected:bg-selected"
        >
          {(at) => {
            const event = rows[at]
            return event ? (
              <div className="flex w-full items-center gap-3 px-3 font-mono text-xs" onClick={() => select(at)}>
                <span role="gridcell" className="w-14 shrink-0 text-right text-muted">{event.seq}</span>
                <span role="gridcell" className="w-28 shrink-0 truncate sm:w-40">{visible(event.type)}</span>
                <span role="gridcell" className="min-w-0 flex-1 truncate"><Marked text={visible(jsonLine(event))} mark={mark} /></span>
              </div>
            ) : null
          }}
        </StreamList>
        <FollowButton following={following} isLive={!isTerminal(run.status)} isAtEnd={!watch.window.hasNewer} />
      </div>
    </div>
  )
}

const written = new WeakMap<RunEvent, string>()

// Written once an event, since a large payload would be written anew with every frame.
function jsonLine(event: RunEvent): string {
  const known = written.get(event)
  if (known !== undefined) return known
  const text = JSON.stringify(event.payload) ?? 'null'
  const line = text.length > MOST ? `${text.slice(0, MOST)}…` : text
  written.set(event, line)
  return line
}

function placeIn(rows: readonly RunEvent[], seq: number): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.seq ?? Infinity) < seq) low = middle + 1
    else high = middle
  }
  return rows[low]?.seq === seq ? low : -1
}

function DownloadAll({ id, last }: { readonly id: number; readonly last: number }) {
  const { client, session } = useAccess()
  const say = useToast()
  const [reached, setReached] = useState<number | null>(null)
  const running = useRef<AbortController | null>(null)
  useEffect(() => () => running.current?.abort(), [])
  const start = async () => {
    const stop = new AbortController()
    running.current = stop
    setReached(0)
    try {
      save(await eventsFile(runSource(client, location.origin, session, id), last, stop.signal, setReached), `run-${id}-events.ndjson`)
    } catch (error) {
      if (!stop.signal.aborted) say(error instanceof Error ? error.message : 'The events could not be read.', true)
    }
    if (running.current === stop) setReached(null)
  }
  if (reached === null) return <Button size="small" look="quiet" onClick={() => void start()}><Download aria-hidden="true" className="size-3.5" />Download</Button>
  return <Button size="small" look="quiet" onClick={() => running.current?.abort()}>{Math.floor((reached / Math.max(1, last)) * 100)} % · Cancel</Button>
}
