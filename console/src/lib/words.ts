/** The words for every state a run can be in, and the tone each is shown with; never colour alone. */
import type { components } from './schema'

type Schemas = components['schemas']
export type Run = Schemas['RunView']
export type Status = Schemas['Status']
export type Phase = Schemas['Phase']
export type Hold = Schemas['Hold']
export type Reason = Schemas['Reason']

/** What a state means to a person: nothing to do, going on, waiting, needs a look, went wrong. */
export type Tone = 'neutral' | 'active' | 'good' | 'waiting' | 'attention' | 'bad'

/** A state in words: `label` for a chip, `meaning` in one sentence. */
export interface Word {
  readonly label: string
  readonly meaning: string
  readonly tone: Tone
}

const word = (label: string, tone: Tone, meaning: string): Word => ({ label, meaning, tone })

export const STATUSES: Readonly<Record<Status, Word>> = {
  QUEUED: word('Queued', 'waiting', 'It waits for a worker.'),
  RUNNING: word('Running', 'active', 'Its program runs.'),
  PAUSED: word('Paused', 'attention', 'Its processes are frozen until somebody resumes it.'),
  COMPLETED: word('Completed', 'good', 'It ended well.'),
  FAILED: word('Failed', 'bad', 'It ended without success.'),
  STOPPED: word('Stopped', 'neutral', 'Somebody stopped it.'),
}

export const PHASES: Readonly<Record<Phase, Word>> = {
  preparing: word('Preparing', 'active', 'The worker prepares its workspace.'),
  starting: word('Starting', 'active', 'Its program starts.'),
  working: word('Working', 'active', 'Its program works.'),
  awaiting_decision: word('Awaiting decision', 'attention', 'It asks a person to decide.'),
  awaiting_input: word('Awaiting input', 'attention', 'It waits for a message from a person.'),
  stalled: word('Stalled', 'attention', 'It has shown nothing for a while.'),
  stopping: word('Stopping', 'waiting', 'A stop is wished and its processes are being ended.'),
  unreachable: word('Unreachable', 'bad', 'Its worker is not heard of; what it does now is not known.'),
}

export const HOLDS: Readonly<Record<Hold, Word>> = {
  not_before: word('Waits for its time', 'waiting', 'It starts at a set time, such as that of the next try.'),
  capacity: word('Waits for capacity', 'waiting', 'Every place it could run in is taken.'),
  operator: word('Held by a person', 'attention', 'Somebody paused it in the queue; resume lets it start.'),
  budget: word('Held by budget', 'attention', 'Its budget allows no more.'),
  provider_limit: word('Provider limit', 'waiting', 'The provider lets nothing more in for now.'),
  dependency: word('Waits for a run', 'waiting', 'Another run has to end first.'),
}

export const REASONS: Readonly<Record<Reason, string>> = {
  exit_nonzero: 'The program ended with an error',
  signal: 'The program was killed',
  spawn_error: 'The program could not be started',
  backend_missing: 'The program is not installed',
  backend_unsupported: 'The backend cannot do this',
  bad_config: 'The options are wrong',
  auth: 'The credentials were refused',
  quota: 'The quota is used up',
  rate_limited: 'The provider limited the rate',
  provider_error: 'The provider failed',
  network: 'The provider was out of reach',
  model_unavailable: 'The model is not available',
  context_overflow: 'The conversation outgrew the model',
  unparseable_output: 'The result is missing',
  wall_timeout: 'The time was used up',
  idle_timeout: 'Silent for too long',
  start_timeout: 'Did not start in time',
  queue_expired: 'Waited too long in the queue',
  oom_killed: 'Out of memory',
  limit_exceeded: 'A limit was exceeded',
  budget_exceeded: 'The budget was used up',
  worker_lost: 'The worker was lost',
  shim_lost: 'Its supervisor was killed',
  host_rebooted: 'The host restarted',
  workspace_error: 'The workspace is not usable',
  stopped_by_user: 'Stopped by a person',
}

/** How a person sees the run now: a wish not yet fact, then phase or hold, then status; an end with its reason. */
export function describe(run: Pick<Run, 'status' | 'phase' | 'hold' | 'reason' | 'desired'>): Word {
  const status = STATUSES[run.status]
  if (isTerminal(run.status)) return run.reason ? { ...status, meaning: `${REASONS[run.reason]}.` } : status
  if (run.phase === 'unreachable') return PHASES.unreachable
  if (run.desired === 'stop') return PHASES.stopping
  if (run.status === 'QUEUED') return run.hold ? HOLDS[run.hold] : status
  if (run.status === 'PAUSED') return run.desired === 'run' ? word('Resuming', 'waiting', 'It is being resumed.') : status
  if (run.desired === 'pause') return word('Pausing', 'waiting', 'It is being paused.')
  return run.phase && run.phase !== 'working' ? PHASES[run.phase] : status
}

/** Whether nothing can change any more. */
export function isTerminal(status: Status): boolean {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'STOPPED'
}

/** What a person may do with the run as it is; the server decides races. */
export function actions(run: Pick<Run, 'status' | 'hold' | 'desired'>): readonly Action[] {
  if (isTerminal(run.status)) return ['retry']
  if (run.desired === 'stop') return []
  const isPaused = run.status === 'PAUSED' || run.hold === 'operator' || run.desired === 'pause'
  return isPaused ? ['resume', 'stop'] : ['pause', 'stop']
}

export type Action = 'pause' | 'resume' | 'stop' | 'retry'
