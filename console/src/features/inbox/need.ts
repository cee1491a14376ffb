/** Which runs need a person now, why, since when, and in which order. */
import { type Phase, PHASES, REASONS, type Run, STATUSES, type Word } from '@/lib/words'

/** What asks for a person: an agent that waits for one, a run that is in trouble, one that failed. */
export type Group = 'waiting' | 'trouble' | 'failed'

export interface Need {
  readonly run: Run
  readonly group: Group
  readonly word: Word
  /** In one sentence. */
  readonly why: string
  /** Since when it waits, in milliseconds. */
  readonly since: number
}

/** What this browser's person has seen of one database: all that ended by an instant, and single runs. */
export interface Seen {
  readonly instance: string
  readonly until: number
  readonly ids: readonly number[]
}

const RANK: Readonly<Record<Group, number>> = { waiting: 0, trouble: 1, failed: 2 }
const MOST_IDS = 1000

/** Needs of those runs, what waits for a person first, and of each kind what has waited longest. */
export function needs(runs: readonly Run[], seen: Seen): Need[] {
  const once = new Map(runs.map((run) => [run.id, run]))
  const found = [...once.values()].flatMap((run) => need(run) ?? []).filter((each) => each.group !== 'failed' || !isSeen(each, seen))
  return found.sort((a, b) => RANK[a.group] - RANK[b.group] || a.since - b.since || a.run.id - b.run.id)
}

function need(run: Run): Need | null {
  if (run.status === 'FAILED') return failure(run)
  const group = groupOf(run)
  if (group === null || run.phase === null) return null
  return { run, group, word: PHASES[run.phase], why: PHASES[run.phase].meaning, since: at(run.phase_since ?? run.started_at ?? run.created_at) }
}

function failure(run: Run): Need {
  const why = run.message ?? (run.reason ? `${REASONS[run.reason]}.` : STATUSES.FAILED.meaning)
  return { run, group: 'failed', word: STATUSES.FAILED, why, since: at(run.ended_at ?? run.created_at) }
}

const GROUPS: Readonly<Partial<Record<Phase, Group>>> = { awaiting_decision: 'waiting', awaiting_input: 'waiting', unreachable: 'trouble', stalled: 'trouble' }

/** Nobody is needed for one that is being stopped, or that does not run. */
function groupOf({ status, phase, desired }: Run): Group | null {
  if ((status !== 'RUNNING' && status !== 'PAUSED') || phase === null || desired === 'stop') return null
  return GROUPS[phase] ?? null
}

const at = (text: string) => Date.parse(text)

function isSeen({ run, since }: Need, seen: Seen): boolean {
  return since <= seen.until || seen.ids.includes(run.id)
}

/** With one more run seen. */
export function withSeen(seen: Seen, id: number): Seen {
  return { ...seen, ids: [...seen.ids.filter((each) => each !== id), id].slice(-MOST_IDS) }
}

/** With everything seen that had ended by the newest of those failures. */
export function withAllSeen(seen: Seen, shown: readonly Need[]): Seen {
  const ends = shown.filter((each) => each.group === 'failed').map((each) => each.since)
  return { ...seen, until: Math.max(seen.until, ...ends), ids: [] }
}

/** Whether anything may be taken for what was seen of this database: ids of another one mean other runs. */
export function seenOf(instance: string, found: Seen): Seen {
  return found.instance === instance ? found : { instance, until: 0, ids: [] }
}

/** What was kept, where it has the shape. */
export function acceptSeen(found: unknown): Seen | undefined {
  if (typeof found !== 'object' || found === null) return undefined
  const { instance, until, ids } = found as Record<string, unknown>
  const isWhole = typeof instance === 'string' && typeof until === 'number' && Array.isArray(ids) && ids.every((id) => typeof id === 'number')
  return isWhole ? { instance, until, ids } : undefined
}
