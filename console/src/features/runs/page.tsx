/** The list of runs: what is looked for, what is found, and what can be done to it. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ArrowUp, RefreshCw } from 'lucide-react'
import { useCallback, useMemo, useRef, useState } from 'react'
import { clock } from '@/lib/format'
import { newKey } from '@/lib/http'
import { formatSort, nextSort, type Sort } from '@/lib/runs-list'
import { type Action, actions, type Run } from '@/lib/words'
import { Button, buttonClass } from '@/ui/button'
import { useIsNarrow } from '@/ui/narrow'
import { useNow } from '@/ui/now'
import { usePref } from '@/ui/pref'
import { Empty, Failure, Skeleton } from '@/ui/states'
import { useToast } from '@/ui/toast'
import { useAccess, useMayAct } from '../access'
import { BulkDialog, type Deed } from './bulk-dialog'
import { ColumnChooser } from './column-chooser'
import { chosenColumns, COLUMNS, FIXED, timeStyle } from './columns'
import { useRunsCommands } from './commands'
import { FirstRun } from './first-run'
import { Grid } from './grid'
import { mistake, QueryBox } from './query-box'
import { targetOf, useSelection } from './selection'
import { SelectionBar } from './selection-bar'
import { MOST_SORTED, type Runs, useRuns } from './use-runs'
import { Views } from './views'

export interface RunsPageProps {
  readonly q: string
  readonly sort: Sort
  readonly onSearch: (q: string) => void
  readonly onSort: (sort: string | undefined) => void
  readonly onOpen: (id: number) => void
}

export function RunsPage({ q, sort, onSearch, onSort, onOpen }: RunsPageProps) {
  const search = useRef<HTMLInputElement>(null)
  const grid = useRef<HTMLDivElement>(null)
  return (
    <div className="flex h-full flex-col">
      <div className="flex h-11 shrink-0 items-center gap-3 px-3">
        <h1 className="text-base font-semibold">Runs</h1>
        <Views q={q} onChoose={onSearch} />
      </div>
      <div className="flex shrink-0 gap-2 border-b border-line px-3 pb-2">
        <QueryBox key={q} input={search} q={q} onSearch={onSearch} onLeave={() => grid.current?.focus()} />
        <ColumnChooser />
      </div>
      {mistake(q) === null
        ? <List key={q} q={q} sort={sort} grid={grid} search={search} onSort={(key) => onSort(formatSort(nextSort(sort, key)))} onOpen={onOpen} />
        : <Empty title="This is no query">{mistake(q)}</Empty>}
    </div>
  )
}

interface ListProps {
  readonly q: string
  readonly sort: Sort
  readonly grid: React.RefObject<HTMLDivElement | null>
  readonly search: React.RefObject<HTMLInputElement | null>
  readonly onSort: (key: Parameters<typeof nextSort>[1]) => void
  readonly onOpen: (id: number) => void
}

function List({ q, sort, grid, search, onSort, onOpen }: ListProps) {
  const runs = useRuns(q, sort)
  const { rows, list, result } = runs
  const now = useNow()
  const isNarrow = useIsNarrow()
  const columns = useColumns()
  const selection = useSelection(rows)
  const place = usePlace(q)
  const [active, setActive] = useState<number | null>(place.active)
  const [deed, setDeed] = useState<Deed | null>(null)
  const actOnOne = useActOnOne()
  const mayAct = useMayAct()
  const activeRun = rows.find((run) => run.id === active)
  const onAct = (action: Action) => {
    if (selection.ids.size > 0) setDeed({ action, target: targetOf(selection, q) })
    else if (activeRun && action === 'stop') setDeed({ action, target: { ids: [activeRun.id] } })
    else if (activeRun && actions(activeRun).includes(action)) actOnOne(action, activeRun)
  }
  const open = (id: number) => {
    place.keep(id)
    onOpen(id)
  }
  useRunsCommands({ mayAct, rows, active: activeRun, selection, grid, search, onActive: setActive, onOpen: open, onAct })
  if (result.isPending) return <Skeleton rows={14} />
  if (result.isError && rows.length === 0) return <Failure error={result.error} onRetry={() => void result.refetch()} />
  if (rows.length === 0) return q ? <NothingFound q={q} /> : <FirstRun onOpen={onOpen} />
  return (
    <>
      <Notes runs={runs} sort={sort} />
      <div className="relative min-h-0 flex-1">
        <NewAbove rows={rows} top={place.top} topId={place.topId} onShow={() => grid.current?.scrollTo({ top: 0 })} />
        <Grid
          box={grid} rows={rows} columns={columns} sort={sort} now={now} isNarrow={isNarrow} isOld={result.isPlaceholderData} hasMore={list.cursor !== null && formatSort(sort) === undefined}
          active={active} selected={selection.ids} startAt={place.startAt} onSort={onSort} onOpen={open} onActive={setActive} onSelect={selection.pick} onSelectAll={selection.pickLoaded}
          onScroll={(top) => place.scrolled(top, rows)} onMore={runs.loadMore}
        />
      </div>
      {selection.ids.size > 0 ? <SelectionBar selection={selection} loaded={rows.length} hasMore={list.cursor !== null} mayAct={mayAct} onAct={onAct} /> : null}
      {deed ? <BulkDialog deed={deed} onClose={() => { setDeed(null); grid.current?.focus() }} /> : null}
    </>
  )
}

function useColumns() {
  const [chosen] = usePref(chosenColumns)
  usePref(timeStyle)
  return useMemo(() => COLUMNS.filter((each) => FIXED.includes(each.key) || chosen.includes(each.key)), [chosen])
}

/** Where one was in this list, for the way back; and what was at the top when one left it. */
function usePlace(q: string) {
  const queries = useQueryClient()
  const [key] = useState(() => ['runs-place', q] as const)
  const [first] = useState(() => queries.getQueryData<{ top: number; active: number }>(key))
  const [top, setTop] = useState(first?.top ?? 0)
  const [topId, setTopId] = useState<number | null>(null)
  const scrolled = useCallback((next: number, rows: readonly Run[]) => {
    const isAtTop = next < 32
    setTop(isAtTop ? 0 : next)
    setTopId((now) => (isAtTop ? null : (now ?? rows[0]?.id ?? null)))
  }, [])
  const keep = (active: number) => queries.setQueryData(key, { top, active })
  return { active: first?.active ?? null, startAt: first?.top ?? 0, top, topId, scrolled, keep }
}

function NewAbove({ rows, top, topId, onShow }: { readonly rows: readonly Run[]; readonly top: number; readonly topId: number | null; readonly onShow: () => void }) {
  const count = top === 0 || topId === null ? 0 : rows.findIndex((run) => run.id <= topId)
  if (count <= 0) return null
  return (
    <button type="button" onClick={onShow} className="absolute top-10 left-1/2 z-10 flex min-h-8 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent px-3 font-medium text-on-accent shadow-lg">
      <ArrowUp aria-hidden="true" className="size-4" />{count} new
    </button>
  )
}

const LAGGING_MS = 15_000

/** What one has to know about what is shown: how far text was searched, among how many it was sorted. */
function Notes({ runs: { list, isOrderOld, result }, sort }: { readonly runs: Runs; readonly sort: Sort }) {
  const now = useNow()
  const isCut = formatSort(sort) !== undefined && list.cursor !== null
  const since = notSearchedSince(list.indexedTo, now)
  if (!isCut && !isOrderOld && since === null && !result.isError) return null
  return (
    <p role="status" className="flex min-h-8 shrink-0 flex-wrap items-center gap-x-3 border-b border-line-soft bg-raised px-3 text-muted">
      {isCut ? <span>Sorted among the newest {MOST_SORTED.toLocaleString('en-US')} that match.</span> : null}
      {since === null ? null : <span>Messages written after {since} are not searched yet.</span>}
      {isOrderOld ? <span>Runs have changed since.</span> : null}
      {result.isError ? <span className="text-bad">{result.error.message}</span> : null}
      {isOrderOld || result.isError ? <Button look="quiet" size="small" isBusy={result.isFetching} onClick={() => void result.refetch()}><RefreshCw aria-hidden="true" className="size-3.5" />Read again</Button> : null}
    </p>
  )
}

/** The index is always a moment behind; only what lasts is worth a line. */
function notSearchedSince(indexedTo: string | null, now: number): string | null {
  const reached = indexedTo === null ? now : Date.parse(indexedTo)
  return now - reached < LAGGING_MS ? null : clock(reached, now)
}

function NothingFound({ q }: { readonly q: string }) {
  return (
    <Empty title="No run matches">
      <code className="font-mono">{q}</code> finds nothing. Runs that match later show up here by themselves.
      <p className="mt-4"><Link to="/runs" className={buttonClass()}>Show all runs</Link></p>
    </Empty>
  )
}

const SAID: Readonly<Record<Action, string>> = { pause: 'Pausing', resume: 'Resuming', stop: 'Stopping', retry: 'Retried' }

function useActOnOne(): (action: Action, run: Run) => void {
  const { client } = useAccess()
  const queries = useQueryClient()
  const say = useToast()
  const wish = useMutation({
    mutationFn: async ({ action, run, key }: { action: Action; run: Run; key: string }) => {
      const params = { path: { run_id: run.id } }
      if (action !== 'retry') return (await client.POST(`/v1/runs/{run_id}/${action}`, { params })).data
      return (await client.POST('/v1/runs/{run_id}/retry', { params: { ...params, header: { 'Idempotency-Key': key } } })).data
    },
    onSuccess: (run, { action }) => {
      say(`${SAID[action]}${action === 'retry' ? ' as' : ''} run ${run?.id ?? ''}.`)
      void queries.invalidateQueries({ queryKey: ['runs'] }, { cancelRefetch: false })
    },
    onError: (error) => say(error.message, true),
  })
  return (action, run) => wish.mutate({ action, run, key: newKey() })
}

