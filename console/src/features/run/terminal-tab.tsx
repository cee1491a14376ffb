/** What the program wrote, line by line, with its colours. */
import { Download } from 'lucide-react'
import { useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState, type Ref } from 'react'
import { plain } from '@/lib/ansi'
import { sinceStart, timeOfDay } from '@/lib/event-time'
import { covers, lineAt, lineName, type LineRange, rangeOf, TerminalLines, type TerminalLine } from '@/lib/terminal'
import { describe, isTerminal, REASONS, type Run } from '@/lib/words'
import { buttonClass } from '@/ui/button'
import { Empty, Skeleton } from '@/ui/states'
import { AnsiLine, MOST_SHOWN } from './ansi-line'
import { Begin, Edge } from './edge'
import { FollowButton } from './follow-button'
import { type Part, useFollowing } from './part'
import { StreamList, type StreamHandle } from './stream-list'
import { Toolbar } from './toolbar'
import type { ViewHandle } from './view-handle'

const ROW = 20

interface TerminalTabProps extends Part {
  readonly handle: Ref<ViewHandle>
  readonly tools: React.ReactNode
  /** The fragment of the address, such as `#L120-L140`. */
  readonly hash: string
  readonly onHash: (hash: string) => void
}

export function TerminalTab({ watch, watched, run, attempt, selected, onSelect, mark, isWrapped, isClock, handle, tools, hash, onHash }: TerminalTabProps) {
  const range = useMemo(() => rangeOf(hash), [hash])
  const following = useFollowing(watch, range !== null || selected !== null)
  const { isFollowing, onFollow } = following
  const [whole, setWhole] = useState<ReadonlySet<string>>(new Set())
  const list = useRef<StreamHandle>(null)
  const [terminal] = useState(() => new TerminalLines())
  const { revision } = watched
  const lines = useMemo(() => {
    terminal.update(watch.timeline)
    const all = terminal.lines
    // A copy: the list grows in place, and what is memoised has to change with it.
    return attempt === null ? all.slice() : all.filter((each) => each.attempt === attempt)
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [terminal, watch, revision, attempt])

  const wanted = range?.from ?? (selected === null ? null : ([selected, 1] as const))
  const [wantedSeq, wantedAt] = wanted ?? [null, null]
  const isThere = wantedSeq !== null && watch.timeline.at(wantedSeq) !== undefined
  const shownFor = useRef('')
  useEffect(() => {
    if (wantedSeq !== null && wantedAt !== null) void watch.window.around(wantedSeq)
  }, [watch, wantedSeq, wantedAt])
  useEffect(() => {
    const name = `${wantedSeq}.${wantedAt}`
    if (!isThere || wantedSeq === null || wantedAt === null || shownFor.current === name) return
    list.current?.show(Math.min(lines.length - 1, lineAt(lines, [wantedSeq, wantedAt])), 'center')
    shownFor.current = name
  }, [isThere, wantedSeq, wantedAt, lines])

  const choose = (line: TerminalLine | undefined, isToo: boolean) => {
    if (!line) return
    onFollow(false)
    const name = lineName(line)
    shownFor.current = ''
    onHash(isToo && range ? `${lineName({ seq: range.from[0], at: range.from[1] })}-${name}` : name)
  }
  const go = (seq: number) => { onFollow(false); onSelect(seq); onHash('') }
  useImperativeHandle(handle, () => ({
    move: (by) => choose(lines[Math.max(0, Math.min(lines.length - 1, (range ? lineAt(lines, range.from) : lines.length) + by))], false),
    start: () => { onFollow(false); list.current?.awaitStart(); watch.begin() },
    end: () => onFollow(true),
    follow: () => onFollow(!isFollowing),
    leave: () => { if (isFollowing) onFollow(false) },
    problem: (isForward) => {
      const at = range ? lineAt(lines, range.from) : lines.length
      const isBad = (each: TerminalLine) => each.from === 'stderr' || /\berror\b/i.test(each.text)
      choose(isForward ? lines.slice(at + 1).find(isBad) : lines.slice(0, at).findLast(isBad), false)
    },
    go,
  }))
  const keyOf = useCallback((at: number) => { const line = lines[at]; return line ? `${line.seq}.${line.at}` : `at ${at}` }, [lines])
  const indexOf = (key: string) => { const [seq = 0, at = 0] = key.split('.').map(Number); return Math.min(lines.length - 1, lineAt(lines, [seq, at])) }
  const zero = Date.parse(run.started_at ?? run.created_at)
  return (
    <div className="flex h-full flex-col">
      <Toolbar>
        {tools}
        <Begin watch={watch} />
        {run.backend === 'external' ? null : <a href={`/v1/runs/${run.id}/output`} download className={buttonClass('quiet', 'small')} title="What the program wrote, as a file"><Download aria-hidden="true" className="size-3.5" /><span className="sr-only sm:not-sr-only">Download</span></a>}
      </Toolbar>
      <div className="relative min-h-0 flex-1 bg-sunken">
        <Edge watch={watch} />
        {terminal.programLines === 0 ? <Silence run={run} isConnecting={watched.connection.kind === 'connecting'} /> : null}
        <StreamList
          key={String(isWrapped)} label="Output" count={lines.length} rowHeight={ROW} isMeasured={isWrapped} keyOf={keyOf} indexOf={indexOf} isFollowing={isFollowing} onFollow={onFollow} handle={list}
          hasBefore={watch.window.hasOlder} onNearStart={() => void watch.window.older()} onNearEnd={() => void watch.window.newer()} rowClass="group hover:bg-hover"
        >
          {(at) => {
            const line = lines[at]
            return line ? (
              <Row
                line={line} range={range} mark={mark} isWrapped={isWrapped} time={isClock ? timeOfDay(Date.parse(line.ts)) : sinceStart(Date.parse(line.ts) - zero)}
                isWhole={whole.has(lineName(line))} onWhole={() => setWhole(new Set(whole).add(lineName(line)))} onChoose={(isToo) => choose(line, isToo)}
              />
            ) : null
          }}
        </StreamList>
        <FollowButton following={following} isLive={!isTerminal(run.status)} isAtEnd={!watch.window.hasNewer} />
      </div>
      <Ending run={run} />
    </div>
  )
}

interface RowProps {
  readonly line: TerminalLine
  readonly range: LineRange | null
  readonly mark: string
  readonly isWrapped: boolean
  readonly time: string
  readonly isWhole: boolean
  readonly onWhole: () => void
  readonly onChoose: (isToo: boolean) => void
}

const LOOKS = { stdout: 'border-transparent', stderr: 'border-bad', runner: 'border-accent text-muted italic' } as const

function Row({ line, range, mark, isWrapped, time, isWhole, onWhole, onChoose }: RowProps) {
  const name = lineName(line)
  const left = line.text.length - MOST_SHOWN
  return (
    <div className={`flex w-full border-l-2 font-mono text-xs leading-5 ${LOOKS[line.from]} ${covers(range, line) ? 'bg-selected' : ''}`}>
      <span role="gridcell" className="hidden w-16 shrink-0 pr-2 text-right text-muted select-none sm:block" title={line.ts}>{time}</span>
      <span role="gridcell" className="w-16 shrink-0 text-right select-none">
        <button type="button" tabIndex={-1} aria-label={`Link to line ${line.at === 1 ? line.seq : `${line.seq} .${line.at}`}`} title={`${name}: press to link, with Shift for a range`} onClick={(event) => onChoose(event.shiftKey)} className="h-5 w-full truncate pr-3 text-right text-muted hover:text-accent">{line.at === 1 ? line.seq : `.${line.at}`}</button>
      </span>
      <span role="gridcell" className={`min-w-0 flex-1 pr-3 ${isWrapped ? 'break-all whitespace-pre-wrap' : 'overflow-hidden text-ellipsis whitespace-pre'}`}>
        {line.from === 'stderr' ? <span className="sr-only">Error output: </span> : null}
        <AnsiLine text={line.text} from={line.style} isWhole={isWhole} mark={mark} />
        {left > 0 && !isWhole && isWrapped ? <button type="button" className="ml-1 font-sans text-accent hover:underline" onClick={onWhole}>… {left.toLocaleString('en-US')} more characters</button> : null}
      </span>
    </div>
  )
}

function Silence({ run, isConnecting }: { readonly run: Run; readonly isConnecting: boolean }) {
  if (isConnecting) return <Skeleton rows={12} />
  const why = run.backend === 'external' ? 'It is run elsewhere and reports events; the Timeline shows them.' : 'What the program writes appears here at once.'
  return <div className="pointer-events-none absolute inset-x-0 top-16"><Empty title="No output in this part of the run">{why}</Empty></div>
}

/** Why it ended, in the place where one looks for it: below the last line. */
function Ending({ run }: { readonly run: Run }) {
  if (!isTerminal(run.status)) return null
  const parts = [
    describe(run).label, run.reason === null ? null : REASONS[run.reason], run.exit_code === null ? null : `exit code ${run.exit_code}`,
    run.signal === null ? null : `signal ${run.signal}`, run.message === null ? null : plain(run.message),
  ].filter((each) => each !== null)
  const tone = run.status === 'FAILED' ? 'text-bad' : run.status === 'COMPLETED' ? 'text-good' : 'text-muted'
  return <p className={`shrink-0 truncate border-t border-line bg-raised px-3 py-1.5 text-xs font-medium ${tone}`} title={parts.join(' · ')}>{parts.join(' · ')}</p>
}
