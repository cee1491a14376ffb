/** From the form to the request: what the server is asked, or which field has to change; and the server's refusals by field. */
import { Refused } from '@/lib/http'
import { split } from './argv'
import { backendForm, LIMITS, type Option } from './backends'
import { type Draft, isSecret, looksSecret, type Row } from './draft'
import { readObject, worded } from './json'

/** The body of a request for a run; what is left away is as the server has it. */
export type RunRequest = Readonly<Record<string, unknown>> & { readonly backend: string }

/** What is wrong, by field: `goal`, `options.model`, `limits.wall_s`, `env`, `labels`; and in rows by place too. */
export type Mistakes = Readonly<Record<string, string>>

/** The key of a mistake in one row of a field. */
export function placeOf(field: string, row: number, part: 'name' | 'value'): string {
  return `${field}:${row}:${part}`
}

/** How many fields have to change. */
export function countOf(mistakes: Mistakes): number {
  return Object.keys(mistakes).filter((each) => !each.includes(':')).length
}

type Found = Record<string, string>

/** The request, what is wrong in it as far as can be known here (the server has the last word), and what it lacks. */
export interface Prepared {
  readonly request: RunRequest
  readonly mistakes: Mistakes
  readonly missing: Mistakes
}

export function requestOf(draft: Draft): Prepared {
  const mistakes: Found = {}
  const missing: Found = {}
  const options = optionsOf(draft, mistakes, missing)
  const secrets = named(draft.variables.filter((each) => each.isSecret && !looksSecret(each.name)), 'env', /^[A-Za-z_][A-Za-z0-9_]{0,127}$/, mistakes)
  for (const { key, name, value } of draft.variables.filter(isSecret)) {
    if (name === '' || value !== '') continue
    missing.env ??= `The value of ${name} is missing: secrets are never shown, so give it again.`
    missing[placeOf('env', key, 'value')] = missing.env
  }
  const metadata = json(draft.metadata, 'metadata', mistakes)
  const form = backendForm(draft.backend)
  const goal = form.goal === 'none' ? '' : draft.goal
  if (form.goal === 'needed' && goal.trim() === '') missing.goal = 'Say what is to be done.'
  const request = pruned({
    backend: draft.backend, project: draft.project === 'default' ? '' : draft.project, title: draft.title.trim(), goal, agent: draft.agent.trim(),
    agent_version: draft.agentVersion.trim(), external_id: draft.externalId.trim(), options, limits: limitsOf(draft, mistakes),
    priority: whole(draft.priority, 'priority', [-1000, 1000], mistakes) || '',
    labels: named(draft.labels, 'labels', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, mistakes), metadata, on_lost: draft.onLost === 'wait' ? '' : draft.onLost,
    retry: retryOf(draft, mistakes), secrets,
  })
  return { request: { ...request, backend: draft.backend }, mistakes, missing }
}

function optionsOf(draft: Draft, mistakes: Found, missing: Found): Record<string, unknown> {
  const known = backendForm(draft.backend).options
  const found: Record<string, unknown> = { ...json(draft.more, 'more', mistakes) }
  if (draft.backend === 'command') found.argv = argvOf(draft, mistakes)
  if (draft.backend === 'command' && draft.command.trim() === '') missing['options.argv'] = 'Give the command that is to run.'
  for (const option of known) {
    const text = draft.options[option.name] ?? ''
    if (option.isNeeded && text.trim() === '') missing[`options.${option.name}`] = 'This is needed.'
    const value = optionValue(option, text, mistakes)
    if (value !== undefined) found[option.name] = value
  }
  if (draft.backend !== 'replay') {
    if (draft.cwd.trim() !== '') found.cwd = draft.cwd.trim()
    // The server itself keeps apart what has the name of a secret, and then still knows that there was one.
    const env = named(draft.variables.filter((each) => !each.isSecret || looksSecret(each.name)), 'env', /^[A-Za-z_][A-Za-z0-9_]*$/, mistakes)
    if (Object.keys(env).length) found.env = env
  }
  return found
}

function argvOf({ command, isShell }: Draft, mistakes: Found): readonly string[] {
  if (isShell) return ['sh', '-c', command]
  const words = split(command)
  if ('argv' in words) return words.argv
  mistakes['options.argv'] = `Character ${words.at}: ${words.mistake}`
  return []
}

function optionValue(option: Option, text: string, mistakes: Found): unknown {
  const field = `options.${option.name}`
  if (text.trim() === '') return undefined
  const bounds = [option.min ?? Number.MIN_SAFE_INTEGER, option.max ?? Number.MAX_SAFE_INTEGER] as const
  if (option.kind === 'whole') return whole(text, field, bounds, mistakes)
  if (option.kind === 'number') return number(text, field, bounds, mistakes)
  if (option.kind === 'lines') return text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  return option.kind === 'area' ? text : text.trim()
}

function limitsOf(draft: Draft, mistakes: Found): Record<string, number> {
  const found: Record<string, number> = {}
  for (const limit of LIMITS) {
    const text = draft.limits[limit.name] ?? ''
    const field = `limits.${limit.name}`
    const low = 'min' in limit ? limit.min : 0
    const value = 'isWhole' in limit ? whole(text, field, [low, limit.max], mistakes) : number(text, field, [low, limit.max], mistakes)
    if (value === 0 && !('min' in limit)) mistakes[field] = 'More than 0, or nothing for no limit.'
    if (value !== undefined) found[limit.name] = value
  }
  return found
}

function retryOf(draft: Draft, mistakes: Found): Record<string, unknown> {
  const attempts = whole(draft.attempts, 'retry.attempts', [1, 100], mistakes) ?? 1
  const backoff = number(draft.backoff, 'retry.backoff_s', [0, 3600], mistakes) ?? 10
  return pruned({ attempts: attempts === 1 ? '' : attempts, backoff_s: backoff === 10 ? '' : backoff, reasons: draft.reasons ?? '' })
}

function whole(text: string, field: string, [low, high]: readonly [number, number], mistakes: Found): number | undefined {
  if (text.trim() === '') return undefined
  const value = /^-?[0-9]{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  mistakes[field] = `A whole number from ${low} to ${high}.`
  return undefined
}

function number(text: string, field: string, [low, high]: readonly [number, number], mistakes: Found): number | undefined {
  if (text.trim() === '') return undefined
  const value = /^-?(?:[0-9]{1,12}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})$/.test(text.trim()) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  mistakes[field] = `A number from ${low} to ${high}, with a point for decimals.`
  return undefined
}

function named(rows: readonly Row[], field: string, pattern: RegExp, mistakes: Found): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { key, name, value } of rows) {
    if (name === '' && value === '') continue
    const wrong = name === '' ? 'A name is missing.' : !pattern.test(name) ? `“${name.slice(0, 60)}” cannot be a name here.` : Object.hasOwn(found, name) ? `${name} is here twice.` : null
    if (wrong !== null) mistakes[field] = mistakes[placeOf(field, key, 'name')] = wrong
    found[name] = value
  }
  return found
}

function json(text: string, field: string, mistakes: Found): Record<string, unknown> {
  const read = readObject(text)
  if ('value' in read) return read.value
  mistakes[field] = worded(read.mistake)
  return {}
}

/** Without what says nothing, so that the request reads as somebody would write it. */
function pruned(request: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== '' && value !== undefined && !isEmpty(value)))
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
}

/** The request as it may be shown: without the values of secrets. */
export function shown(request: RunRequest): RunRequest {
  const { options, secrets } = request as { options?: Record<string, unknown>; secrets?: Record<string, string> }
  const env = options?.env as Record<string, string> | undefined
  return {
    ...request,
    ...(options && env ? { options: { ...options, env: hidden(env, looksSecret) } } : {}),
    ...(secrets ? { secrets: hidden(secrets, () => true) } : {}),
  }
}

function hidden(values: Readonly<Record<string, string>>, isHidden: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isHidden(name) ? '…' : value]))
}

const CODES: Readonly<Record<string, string>> = { project_not_found: 'project', name_taken: 'external_id', backend_missing: 'backend' }
// What the server calls by one name and the form shows in another place.
const PLACES: readonly (readonly [RegExp, string])[] = [[/^options\.env\b/, 'env'], [/^secrets\b/, 'env'], [/^labels\b/, 'labels'], [/^metadata\b/, 'metadata'], [/^retry\.reasons\b/, 'retry.attempts']]

/** The field that a refusal names, as one of `fields`; null where it is about the whole. */
export function fieldOf(error: unknown, fields: readonly string[]): string | null {
  if (!(error instanceof Refused)) return null
  const named = [...error.message.matchAll(/`([a-z][\w.[\]-]*)`/gi)].map((match) => nearest(match[1] ?? '', fields))
  return named.find((field) => field !== null) ?? CODES[error.code] ?? (/^There is no backend/.test(error.message) ? 'backend' : null)
}

function nearest(path: string, fields: readonly string[]): string | null {
  const place = PLACES.find(([pattern]) => pattern.test(path))?.[1]
  if (place) return place
  for (let rest = path; rest !== ''; rest = rest.replace(/(?:^|[.[])[^.[]*$/, '')) if (fields.includes(rest)) return rest
  return path.startsWith('options.') ? 'more' : null
}
