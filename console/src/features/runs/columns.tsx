/** The columns that a list of runs can have. */
import type { ReactNode } from 'react'
import { plain } from '@/lib/ansi'
import { clock, count, duration, elapsed, money, relative, tokens } from '@/lib/format'
import { oneOf, Pref, wordList } from '@/lib/prefs'
import { type SortKey, whyOf } from '@/lib/runs-list'
import { describe, type Run } from '@/lib/words'
import { StateChip } from '@/ui/chip'

export interface Column {
  readonly key: string
  readonly title: string
  /** A track of the grid. */
  readonly width: string
  readonly isNumber?: boolean
  readonly sort?: SortKey
  readonly cell: (run: Run, now: number) => ReactNode
}

const MUTED = 'text-muted'

export const COLUMNS: readonly Column[] = [
  { key: 'id', title: 'Run', width: '64px', isNumber: true, sort: 'created', cell: (run) => <span className={MUTED}>{run.id}</span> },
  { key: 'state', title: 'State', width: '148px', sort: 'state', cell: (run) => <StateChip word={describe(run)} /> },
  { key: 'title', title: 'Title', width: 'minmax(260px, 6fr)', sort: 'title', cell: (run) => plain(run.title) },
  { key: 'why', title: 'Why', width: 'minmax(140px, 3fr)', cell: (run) => { const why = whyOf(run); return why ? <span className={MUTED} title={plain(why)}>{plain(why)}</span> : null } },
  { key: 'agent', title: 'Agent', width: 'minmax(88px, 1fr)', sort: 'agent', cell: (run) => <Cut text={run.agent} /> },
  { key: 'version', title: 'Version', width: '112px', cell: (run) => <Cut text={run.agent_version} /> },
  { key: 'project', title: 'Project', width: 'minmax(80px, 1fr)', sort: 'project', cell: (run) => <Cut text={run.project} /> },
  { key: 'backend', title: 'Backend', width: '96px', cell: (run) => <Cut text={run.backend} /> },
  { key: 'worker', title: 'Worker', width: '120px', cell: (run) => <Cut text={run.worker} /> },
  { key: 'labels', title: 'Labels', width: 'minmax(120px, 1fr)', cell: (run) => <Cut text={Object.entries(run.labels).map((each) => each.join('=')).join(', ')} /> },
  { key: 'attempt', title: 'Attempt', width: '72px', isNumber: true, cell: (run) => run.attempt || '–' },
  { key: 'turns', title: 'Turns', width: '64px', isNumber: true, sort: 'turns', cell: (run) => run.turns || '–' },
  { key: 'tokens', title: 'Tokens', width: '68px', isNumber: true, sort: 'tokens', cell: (run) => count(tokens(run.usage) || null) },
  { key: 'cost', title: 'Cost', width: '72px', isNumber: true, sort: 'cost', cell: (run) => money(run.cost_usd) },
  { key: 'started', title: 'Started', width: '104px', isNumber: true, sort: 'started', cell: (run, now) => <Ago at={run.started_at} now={now} /> },
  { key: 'took', title: 'Duration', width: '92px', isNumber: true, sort: 'took', cell: (run, now) => duration(elapsed(run, now)) },
  { key: 'created', title: 'Created', width: '92px', isNumber: true, sort: 'created', cell: (run, now) => <Ago at={run.created_at} now={now} /> },
]

/** What cannot be left out: a list without it names nothing. */
export const FIXED = ['state', 'title']
const FIRST = ['id', 'state', 'title', 'why', 'agent', 'project', 'tokens', 'cost', 'took', 'created']

/** The columns that were chosen in this browser. */
export const chosenColumns = new Pref<readonly string[]>('runs.columns', FIRST, wordList)
/** Times as they are said (`3 m ago`) or as a clock shows them. */
export const timeStyle = new Pref<'relative' | 'absolute'>('times', 'relative', oneOf('relative', 'absolute'))

function Cut({ text }: { readonly text: string | null | undefined }) {
  return <span className={MUTED}>{text ? plain(text) : '–'}</span>
}

function Ago({ at, now }: { readonly at: string | null; readonly now: number }) {
  if (at === null) return <span className={MUTED}>–</span>
  const ms = Date.parse(at)
  return <time className={MUTED} dateTime={at} title={at}>{timeStyle.value === 'relative' ? relative(ms, now) : clock(ms, now)}</time>
}
