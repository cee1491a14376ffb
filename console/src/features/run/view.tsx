/** One run: its header, its views side by side with what is chosen in them, and the keys for all of it. */
import { useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useRef, useState } from 'react'
import { useAccess } from '@/features/access'
import { nextOf } from '@/lib/hits'
import { Pref, truth } from '@/lib/prefs'
import type { RunWatch, Watched } from '@/lib/run-watch'
import { Story } from '@/lib/story'
import type { Run } from '@/lib/words'
import { useCopy } from '@/ui/copy'
import { usePref } from '@/ui/pref'
import { Empty, Failure, Skeleton } from '@/ui/states'
import { Tabs } from '@/ui/tabs'
import { useToast } from '@/ui/toast'
import { useWishes } from './controls'
import { Header } from './header'
import { Inspector, pretty } from './inspector'
import { IoTab } from './io-tab'
import { useRunKeys } from './keys'
import type { Part } from './part'
import { RawTab } from './raw-tab'
import { foundWords, useSearch } from './search'
import { SearchBox } from './search-box'
import { Split } from './split'
import { TerminalTab } from './terminal-tab'
import { TimelineTab } from './timeline-tab'
import { Toggles } from './toggles'
import { TraceTab } from './trace-tab'
import { useRunWatch } from './watch'
import type { ViewHandle } from './view-handle'

export const VIEWS = [{ key: 'timeline', label: 'Timeline' }, { key: 'terminal', label: 'Terminal' }, { key: 'trace', label: 'Trace' }, { key: 'io', label: 'Input / Output' }, { key: 'raw', label: 'Raw' }] as const
export type ViewKey = (typeof VIEWS)[number]['key']
const NAMES = VIEWS.map((each) => each.label)

const wraps = new Pref<boolean>('run.wrap', false, truth)
const clocks = new Pref<boolean>('run.clock', false, truth)

/** What the address says of the page. */
export interface Place {
  readonly view: ViewKey
  readonly seq: number | null
  readonly attempt: number | null
  readonly text: string
  readonly hash: string
}

interface RunViewProps {
  readonly id: number
  readonly now: number
  readonly place: Place
  /** Change the address without a step in its history. */
  readonly onPlace: (change: Partial<Place>) => void
}

export function RunView({ id, now, place, onPlace }: RunViewProps) {
  const [watch, watched] = useRunWatch(id)
  const { run, connection } = watched
  useTitle(run)
  if (connection.kind === 'refused') {
    if (connection.problem.status === 404) return <><h1 className="sr-only">Run {id}</h1><Empty title={`There is no run ${id}`}>It may have been deleted, its retention being over, or the number is wrong.</Empty></>
    return <><h1 className="sr-only">Run {id}</h1><Failure error={connection.problem} onRetry={() => watch.again()} /></>
  }
  if (!run) {
    const isWaiting = connection.kind === 'reconnecting' || connection.kind === 'offline'
    return isWaiting ? <Failure error={new Error('The run could not be read yet. It is tried again by itself.')} onRetry={() => watch.refresh()} /> : <><h1 className="sr-only">Run {id}</h1><Skeleton rows={14} /></>
  }
  return <Loaded watch={watch} watched={watched} run={run} now={now} place={place} onPlace={onPlace} />
}

interface LoadedProps {
  readonly watch: RunWatch
  readonly watched: Watched
  readonly run: Run
  readonly now: number
  readonly place: Place
  readonly onPlace: (change: Partial<Place>) => void
}

function Loaded({ watch, watched, run, now, place, onPlace }: LoadedProps) {
  const { view, seq: selected, attempt, hash } = place
  const [isWrapped, setWrapped] = usePref(wraps)
  const [isClock, setClock] = usePref(clocks)
  const [story] = useState(() => new Story())
  const wishing = useWishes(watch, run)
  const handle = useRef<ViewHandle>(null)
  const input = useRef<HTMLInputElement>(null)
  const copy = useCopy()
  const [text, setText] = useState(place.text)
  const mark = useDeferredValue(text.trim().toLowerCase())
  const searched = useSearch(watch, run.id, watched.revision, mark)
  const at = watched.asOf ?? now
  story.update(watch.timeline)

  const isReady = watch.timeline.last > 0
  useEffect(() => { if (selected !== null && isReady) void watch.window.around(selected) }, [watch, selected, isReady])

  const select = (seq: number | null) => onPlace({ seq })
  const owner = selected === null ? undefined : story.owner(selected)
  const step = (isForward: boolean) => {
    const next = nextOf(searched.seqs, selected, isForward)
    if (next !== null) handle.current?.go(next)
  }
  const copyLink = () => { if (selected !== null) void copy(linkTo(run.id, view, selected), 'The link is copied.') }
  const neighbour = useNeighbour(run.id)
  const navigate = useNavigate()
  useRunKeys({
    choose: (tab) => { const next = VIEWS[tab]; if (next) onPlace({ view: next.key }) },
    move: (by) => handle.current?.move(by), start: () => handle.current?.start(), end: () => handle.current?.end(), follow: () => handle.current?.follow(),
    hit: step, problem: (isForward) => handle.current?.problem(isForward), neighbour,
    copyPayload: () => { if (owner) void copy(pretty(owner.event.payload), 'The payload is copied.') }, copyLink,
    wrap: () => setWrapped(!isWrapped), times: () => setClock(!isClock), search: () => input.current?.focus(),
    back: () => { if (selected !== null) onPlace({ seq: null }); else void navigate({ to: '/runs' }) },
  }, NAMES)

  const part: Part = { watch, watched, run, now: at, attempt, selected, onSelect: select, mark, isWrapped, isClock }
  const found = mark === '' ? null : foundWords(searched)
  const tools = (
    <>
      <SearchBox text={text} onText={(next) => { setText(next); onPlace({ text: next }) }} onStep={step} onFocus={() => handle.current?.leave()} found={found} box={input} />
      <Toggles view={view} run={run} attempt={attempt} onAttempt={(next) => onPlace({ attempt: next })} isWrapped={isWrapped} onWrap={setWrapped} isClock={isClock} onClock={setClock} />
    </>
  )
  const side = owner && (view === 'timeline' || view === 'raw')
    ? <Inspector key={owner.seq} entry={owner} mark={mark} now={at} onClose={() => onPlace({ seq: null })} onCopyLink={copyLink} /> : null
  return (
    <div className="flex h-full min-h-0 flex-col [&>[role=tabpanel]]:min-h-0 [&>[role=tabpanel]]:flex-1 [&>[role=tablist]]:shrink-0 [&>[role=tablist]]:overflow-x-auto [&>[role=tablist]]:px-2 [&>[role=tablist]>*]:whitespace-nowrap">
      <Header run={run} wishing={wishing} connection={watched.connection} asOf={watched.asOf} now={now} />
      <Tabs label="Views of the run" tabs={VIEWS} chosen={view} onChoose={(next) => onPlace({ view: next })}>
        <Split side={side} sideLabel="Inspector">
          {view === 'timeline' ? <TimelineTab {...part} story={story} handle={handle} tools={tools} /> : null}
          {view === 'terminal' ? <TerminalTab {...part} handle={handle} tools={tools} hash={hash} onHash={(next) => onPlace({ hash: next })} /> : null}
          {view === 'trace' ? <TraceTab run={run} now={at} /> : null}
          {view === 'io' ? <IoTab run={run} rows={watch.timeline.rows} now={at} /> : null}
          {view === 'raw' ? <RawTab {...part} handle={handle} tools={tools} /> : null}
        </Split>
      </Tabs>
      <p className="sr-only" role="status">{useSummary(watch)}</p>
    </div>
  )
}

/** The address of an event, from anywhere. */
function linkTo(id: number, view: ViewKey, seq: number): string {
  const base = location.pathname.slice(0, location.pathname.indexOf('/runs/'))
  return `${location.origin}${base}/runs/${id}?${view === 'timeline' ? '' : `view=${view}&`}seq=${seq}`
}

/** To the run before or behind, where there is one. */
function useNeighbour(id: number): (by: number) => void {
  const { client } = useAccess()
  const navigate = useNavigate()
  const say = useToast()
  return (by) => {
    const next = id + by
    client.GET('/v1/runs/{run_id}', { params: { path: { run_id: next } } }).then(
      () => navigate({ to: '/runs/$id', params: { id: String(next) } }),
      () => say(by > 0 ? 'There is no newer run.' : `There is no run ${next}.`),
    ).catch(() => undefined)
  }
}

const SUMMARY_MS = 5000

/** What a screen reader is told of a live run: how many events are new, every five seconds at most. */
function useSummary(watch: RunWatch): string {
  const [said, setSaid] = useState('')
  useEffect(() => {
    let before = watch.timeline.known
    const timer = setInterval(() => {
      const fresh = watch.timeline.known - before
      before = watch.timeline.known
      setSaid(fresh > 0 ? `${fresh} new ${fresh === 1 ? 'event' : 'events'}` : '')
    }, SUMMARY_MS)
    return () => clearInterval(timer)
  }, [watch])
  return said
}

function useTitle(run: Run | null): void {
  const title = run ? `${run.id} ${run.title}` : null
  useEffect(() => {
    if (title === null) return
    const before = document.title
    document.title = `${title} · Agent Runner`
    return () => { document.title = before }
  }, [title])
}
