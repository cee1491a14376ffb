/** What stands in the form, as text; how it begins, and how it is kept until the run is made. */
import type { components } from '@/lib/schema'
import type { Run } from '@/lib/words'
import { join } from './argv'
import { backendForm, LIMITS, type LimitName, type Option } from './backends'

export type OnLost = components['schemas']['OnLost']

/** A name and a value; `key` tells rows apart while they are edited. */
export interface Row {
  readonly key: number
  readonly name: string
  readonly value: string
}

export interface Variable extends Row {
  readonly isSecret: boolean
}

export interface Draft {
  readonly backend: string
  readonly project: string
  readonly title: string
  readonly goal: string
  readonly agent: string
  readonly agentVersion: string
  readonly externalId: string
  readonly command: string
  readonly isShell: boolean
  readonly cwd: string
  /** Options that have a field, by name. */
  readonly options: Readonly<Record<string, string>>
  /** All other options, as JSON. */
  readonly more: string
  readonly variables: readonly Variable[]
  readonly limits: Readonly<Partial<Record<LimitName, string>>>
  readonly priority: string
  readonly labels: readonly Row[]
  readonly metadata: string
  readonly onLost: OnLost
  readonly attempts: string
  readonly backoff: string
  readonly reasons: readonly string[] | null
}

export const EMPTY: Draft = {
  backend: 'command', project: 'default', title: '', goal: '', agent: '', agentVersion: '', externalId: '', command: '', isShell: false, cwd: '', options: {}, more: '',
  variables: [], limits: {}, priority: '', labels: [], metadata: '', onLost: 'wait', attempts: '', backoff: '', reasons: null,
}

/** What the server answers in the place of a secret. */
export const MASK = '***'
const SECRET = /KEY|TOKEN|SECRET|PASSWORD/i

/** The server keeps the value of such a variable apart from the run, whoever says so or not. */
export function looksSecret(name: string): boolean {
  return SECRET.test(name)
}

export function isSecret(variable: Variable): boolean {
  return variable.isSecret || looksSecret(variable.name)
}

let lastKey = 0

export function row(name = '', value = ''): Row {
  return { key: ++lastKey, name, value }
}

export function variable(name = '', value = '', isHidden = false): Variable {
  return { ...row(name, value), isSecret: isHidden }
}

/** The form of a run that is to run again with edits. What the server does not tell, its secrets, has to be given again. */
export function draftOf(run: Run): Draft {
  const { argv, env, cwd, recorded, ...rest } = run.options as Record<string, unknown>
  void recorded // The server writes it anew.
  const known = split(rest, backendForm(run.backend).options)
  return {
    ...EMPTY, ...known, ...commandOf(argv), backend: run.backend, project: run.project, title: run.title === automaticTitle(run, argv) ? '' : run.title,
    goal: run.goal, agent: run.agent ?? '', agentVersion: '', cwd: typeof cwd === 'string' ? cwd : '', variables: variablesOf(env),
    limits: Object.fromEntries(LIMITS.flatMap(({ name }) => (run.limits[name] == null ? [] : [[name, String(run.limits[name])]]))),
    priority: run.priority === 0 ? '' : String(run.priority), labels: Object.entries(run.labels).map(([name, value]) => row(name, value)),
    metadata: Object.keys(run.metadata).length ? JSON.stringify(run.metadata, null, 2) : '', onLost: run.on_lost,
    attempts: run.retry.attempts === 1 ? '' : String(run.retry.attempts), backoff: run.retry.backoff_s === 10 ? '' : String(run.retry.backoff_s), reasons: run.retry.reasons,
  }
}

function automaticTitle(run: Run, argv: unknown): string {
  const command = Array.isArray(argv) ? argv.join(' ') : ''
  const line = [run.goal, command, run.backend].map((text) => text.trim().split('\n', 1)[0] ?? '').find((text) => text !== '') ?? ''
  const letters = Array.from(line)
  return letters.length <= 200 ? line : `${letters.slice(0, 199).join('')}…`
}

function commandOf(argv: unknown): Pick<Draft, 'command' | 'isShell'> {
  if (!Array.isArray(argv)) return { command: '', isShell: false }
  const words = argv.map(String)
  if (words.length === 3 && words[0] === 'sh' && words[1] === '-c') return { command: words[2] ?? '', isShell: true }
  return { command: join(words), isShell: false }
}

function variablesOf(env: unknown): Variable[] {
  if (typeof env !== 'object' || env === null) return []
  return Object.entries(env).map(([name, value]) => (value === MASK ? variable(name, '') : variable(name, String(value))))
}

function split(options: Record<string, unknown>, known: readonly Option[]): Pick<Draft, 'options' | 'more'> {
  const fields: Record<string, string> = {}
  const others: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const text = fieldText(known.find((each) => each.name === name), value)
    if (text === null) others[name] = value
    else fields[name] = text
  }
  return { options: fields, more: Object.keys(others).length ? JSON.stringify(others, null, 2) : '' }
}

/** The text of an option's field; null where the field cannot hold the value. */
function fieldText(option: Option | undefined, value: unknown): string | null {
  if (!option) return null
  if (option.kind === 'lines') return Array.isArray(value) && value.every((each) => typeof each === 'string' && !each.includes('\n')) ? value.join('\n') : null
  if (option.kind === 'choice') return option.choices?.some(([choice]) => choice === value) ? String(value) : null
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null
}

const nameOf = (from: number | null) => `agentrunner.new-run${from === null ? '' : `.${from}`}`

/** The part of `Storage` that is used. */
type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** Keep the form until the tab ends; the values of secrets never; that of a run with edits on its own. A store that refuses is no reason to fail. */
export function keep(draft: Draft, store: Store, from: number | null): void {
  const variables = draft.variables.map((each) => (isSecret(each) ? { ...each, value: '' } : each))
  try {
    store.setItem(nameOf(from), JSON.stringify({ ...draft, variables }))
  } catch {
    // Full or forbidden: the form still works.
  }
}

export function kept(store: Store, from: number | null): Draft | null {
  try {
    const found: unknown = JSON.parse(store.getItem(nameOf(from)) ?? 'null')
    return isDraft(found) ? { ...EMPTY, ...found, variables: found.variables.map((each) => ({ ...each, ...row(each.name, each.value) })), labels: found.labels.map((each) => row(each.name, each.value)) } : null
  } catch {
    return null
  }
}

export function forget(store: Store, from: number | null): void {
  try {
    store.removeItem(nameOf(from))
  } catch {
    // There is nothing kept then.
  }
}

// Another version of the console may have written it: only what has this one's shape is taken.
function isDraft(found: unknown): found is Draft {
  if (typeof found !== 'object' || found === null) return false
  const kinds = found as Record<string, unknown>
  return Object.entries(EMPTY).every(([name, value]) => (value === null ? true : typeof kinds[name] === typeof value && Array.isArray(kinds[name]) === Array.isArray(value)))
}
