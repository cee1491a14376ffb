/** What the form knows of each backend's options; whatever else a backend takes is given as JSON. */

export type Kind = 'text' | 'area' | 'lines' | 'whole' | 'number' | 'choice'

/** One option; `choices` are [value, words] where there are only some, and '' leaves the option away. */
export interface Option {
  readonly name: string
  readonly label: string
  readonly kind: Kind
  readonly hint?: string
  readonly placeholder?: string
  readonly choices?: readonly (readonly [string, string])[]
  readonly min?: number
  readonly max?: number
  readonly isNeeded?: boolean
}

/** A backend: what it is, whether its goal is needed, may be given, or means nothing. */
export interface BackendForm {
  readonly what: string
  readonly goal: 'needed' | 'optional' | 'none'
  readonly goalHint: string
  readonly options: readonly Option[]
}

const INPUT: Option = {
  name: 'stdin', label: 'Messages', kind: 'choice', choices: [['', 'Takes none'], ['pipe', 'Takes messages while it runs']],
  hint: 'Messages are written to its standard input, a line each.',
}
const OUTPUT: Option = {
  name: 'stdio', label: 'Output goes through', kind: 'choice', choices: [['', 'A pipe'], ['file', 'A file']],
  hint: 'A file, where the program loses output on a pipe when it is killed.',
}

export const BACKENDS: Readonly<Record<string, BackendForm>> = {
  claude: {
    what: 'Claude Code without a terminal', goal: 'needed', goalHint: 'What Claude Code is to do.',
    options: [
      { name: 'model', label: 'Model', kind: 'text', placeholder: 'the program’s own', hint: 'As the program names it, such as sonnet or opus.' },
      {
        name: 'permission_mode', label: 'Permissions', kind: 'choice', choices: [['', 'Ask: refuse what needs one'], ['bypass', 'Bypass: allow everything']],
        hint: 'Bypass lets it run any command on the worker without asking.',
      },
      { name: 'max_turns', label: 'Most turns', kind: 'whole', min: 1, max: 1_000_000, placeholder: 'no limit' },
      { name: 'allowed_tools', label: 'Allowed tools', kind: 'lines', placeholder: 'Edit\nBash(git *)', hint: 'One rule a line; these need no permission.' },
      { name: 'add_dirs', label: 'More directories', kind: 'lines', placeholder: '../shared', hint: 'One a line, beside the project’s own.' },
      { name: 'append_system_prompt', label: 'Added to the system prompt', kind: 'area', hint: 'Can be seen in the worker’s process list.' },
      { name: 'resume', label: 'Resume session', kind: 'text', placeholder: 'native_session_id of a session.started event' },
      { name: 'program', label: 'Program', kind: 'text', placeholder: 'claude', hint: 'A name in PATH or an absolute path on the worker.' },
    ],
  },
  command: {
    what: 'Any program, judged by its exit status', goal: 'optional', goalHint: 'Reaches the program as AGENTRUNNER_GOAL.',
    options: [INPUT, OUTPUT],
  },
  demo: {
    what: 'A simulation: shows a run’s life and does no work', goal: 'optional', goalHint: 'What the simulation pretends to do.',
    options: [
      { name: 'seconds', label: 'Seconds a step', kind: 'number', min: 0, max: 3600, placeholder: '1' },
      { name: 'fail', label: 'Fails while', kind: 'choice', choices: [['', 'It does not fail'], ['thinking', 'Thinking'], ['planning', 'Planning'], ['executing', 'Executing']] },
      INPUT,
    ],
  },
  script: {
    what: 'A scenario played by a stand-in, for drills', goal: 'optional', goalHint: 'Its lines are read by the scenario’s read steps.',
    options: [{ name: 'scenario', label: 'Scenario (YAML)', kind: 'area', isNeeded: true, placeholder: '- emit: hello\n- sleep: 2\n- exit: 0' }, OUTPUT],
  },
  replay: {
    what: 'The raw output of a recorded run once more', goal: 'none', goalHint: '',
    options: [
      { name: 'run', label: 'Recorded run', kind: 'whole', min: 1, max: Number.MAX_SAFE_INTEGER, isNeeded: true, placeholder: '12' },
      { name: 'attempt', label: 'Attempt', kind: 'whole', min: 1, max: 2 ** 31 - 1, placeholder: 'its last' },
      { name: 'speed', label: 'Speed', kind: 'number', min: 0, max: 1_000_000, placeholder: '1', hint: '1 as it was, 4 four times as fast, 0 as fast as possible.' },
    ],
  },
}

const UNKNOWN: BackendForm = { what: 'Installed on a worker; its options are given as JSON', goal: 'optional', goalHint: 'What it is to do.', options: [] }

export function backendForm(name: string): BackendForm {
  return Object.hasOwn(BACKENDS, name) ? (BACKENDS[name] ?? UNKNOWN) : UNKNOWN
}

/** `limits` as fields, with the bounds that the server has. */
export const LIMITS = [
  { name: 'wall_s', label: 'Time in all', unit: 's', max: 31_536_000, placeholder: 'no limit' },
  { name: 'idle_s', label: 'Time silent', unit: 's', max: 31_536_000, placeholder: 'no limit' },
  { name: 'start_s', label: 'Time to first output', unit: 's', max: 86_400, placeholder: 'no limit' },
  { name: 'memory_mb', label: 'Memory', unit: 'MiB', min: 4, max: 16_777_216, isWhole: true, placeholder: 'no limit' },
  { name: 'cpu', label: 'CPUs', unit: '', max: 4096, placeholder: 'no limit' },
  { name: 'pids', label: 'Processes', unit: '', min: 1, max: 4_194_304, isWhole: true, placeholder: 'no limit' },
  { name: 'output_mb', label: 'Output', unit: 'MiB', max: 1_048_576, placeholder: 'no limit' },
] as const satisfies readonly { name: string; label: string; unit: string; min?: number; max: number; isWhole?: boolean; placeholder: string }[]

export type LimitName = (typeof LIMITS)[number]['name']
