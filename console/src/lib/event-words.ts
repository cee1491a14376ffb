/** What an event says in one line, and which kind of thing it is; every spelling that reporters use is read. */
import { plain } from './ansi'
import { brief, oneLine } from './brief'
import { count, duration, money, tokens } from './format'
import type { RunEvent } from './run-source'
import { REASONS } from './words'

export type Kind = 'run' | 'turn' | 'message' | 'thinking' | 'tool' | 'span' | 'log' | 'usage' | 'problem' | 'decision' | 'input' | 'other'
export type Payload = Readonly<Record<string, unknown>>

const KINDS: Readonly<Record<string, Kind>> = {
  'turn.started': 'turn', 'turn.finished': 'turn', message: 'message', 'message.delta': 'message', thinking: 'thinking', 'agent.thinking': 'thinking',
  'plan.generated': 'message', executing: 'message', 'tool.called': 'tool', 'tool.output': 'tool', 'tool.result': 'tool', 'span.start': 'span', 'span.end': 'span',
  log: 'log', raw: 'log', 'output.truncated': 'problem', 'output.dropped': 'problem', usage: 'usage', cost: 'usage', error: 'problem', retry: 'problem',
  limit: 'problem', 'decision.requested': 'decision', 'decision.resolved': 'decision', 'input.received': 'input', 'input.delivered': 'input', 'session.started': 'run',
}

/** The kind of an event by its type. */
export function kindOf(type: string): Kind {
  return KINDS[type] ?? (type.startsWith('run.') ? 'run' : 'other')
}

/** The payload as an object; what is none, as a reporter may send, stands under `value`. */
export function payloadOf(event: RunEvent): Payload {
  const payload: unknown = event.payload
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as Payload) : { value: payload }
}

/** The first of some fields that is a text or a number. */
export function field(payload: Payload, ...names: readonly string[]): string | null {
  for (const name of names) {
    const value = payload[name]
    if (typeof value === 'string' && value !== '') return value
    if (typeof value === 'number') return String(value)
  }
  return null
}

/** The id that pairs a call with its result. */
export function callId(payload: Payload): string | null {
  return field(payload, 'toolCallId', 'tool_call_id', 'call_id', 'callId', 'tool_use_id', 'id')
}

/** The name of a tool or a span. */
export function nameOf(payload: Payload): string | null {
  return field(payload, 'name', 'toolName', 'tool_name', 'tool', 'title')
}

/** The lines of a `log` event; the bytes of a `raw` one. */
export function linesOf(event: RunEvent): readonly string[] {
  const { lines, line } = payloadOf(event)
  if (Array.isArray(lines)) return lines.map(String)
  return line === undefined ? [] : [String(line)]
}

/** Whether a result or an end tells of a failure. */
export function isFailure(event: RunEvent): boolean {
  return event.level === 'error' || isBad(payloadOf(event))
}

function isBad(payload: Payload): boolean {
  if (payload['ok'] === false || payload['success'] === false || payload['is_error'] === true) return true
  return typeof payload['status'] === 'string' && /^(error|failed|failure|timeout)$/i.test(payload['status'])
}

const TITLES: Readonly<Record<string, string>> = {
  'run.created': 'Created', 'run.claimed': 'Claimed', 'run.started': 'Started', 'run.paused': 'Paused', 'run.resumed': 'Resumed', 'run.stop_requested': 'Stop wished',
  'run.stopped': 'Stopped', 'run.completed': 'Completed', 'run.failed': 'Failed', 'run.retried': 'Retried', 'run.adopted': 'Taken up again', 'run.lost': 'Worker lost',
  'session.started': 'Session', 'turn.started': 'Turn', 'turn.finished': 'Turn ended', thinking: 'Thinking', 'agent.thinking': 'Thinking', 'plan.generated': 'Plan', executing: 'Executing',
  'message.delta': 'Agent, part', 'tool.output': 'Tool output', 'tool.result': 'Tool result', 'decision.requested': 'Asks to decide', 'decision.resolved': 'Decision',
  'input.received': 'Message sent', 'input.delivered': 'Message delivered', usage: 'Tokens', cost: 'Cost', retry: 'Retry', error: 'Error', limit: 'Limit',
  'artifact.created': 'Artifact', diff: 'Diff', log: 'Output', raw: 'Unread output', 'output.truncated': 'Line cut', 'output.dropped': 'Output dropped',
}

/** The few words that an event goes by. */
export function titleOf(event: RunEvent): string {
  const payload = payloadOf(event)
  if (event.type === 'message') return payload['role'] === 'user' ? 'User' : 'Agent'
  if (event.type === 'tool.called') return plain(nameOf(payload) ?? 'Tool')
  if (event.type === 'span.start') return plain(nameOf(payload) ?? 'Span')
  if (event.type === 'log' && payload['stream'] === 'stderr') return 'Error output'
  return TITLES[event.type] ?? plain(event.type)
}

const ARGUMENTS = ['command', 'file_path', 'pattern', 'query', 'url', 'path', 'description', 'prompt', 'text']

/** What a tool was given, shortest first: its one telling argument, else all of them. */
export function given(payload: Payload): string {
  const input = payload['input'] ?? payload['args'] ?? payload['arguments'] ?? payload['toolInput']
  if (typeof input !== 'object' || input === null) return input === undefined ? '' : brief(input)
  const main = field(input as Payload, ...ARGUMENTS)
  return main === null ? brief(input) : oneLine(main)
}

type Teller = (payload: Payload, event: RunEvent) => string

const text: Teller = (payload) => oneLine(field(payload, 'text', 'message', 'content', 'value') ?? '')
const failed: Teller = (payload) => {
  const reason = field(payload, 'reason', 'kind')
  const words = reason === null ? null : (Object.entries(REASONS).find(([name]) => name === reason)?.[1] ?? reason)
  return [words, field(payload, 'message', 'error')].filter(Boolean).map((each) => oneLine(each ?? '')).join(': ')
}

const TELLERS: Readonly<Record<string, Teller>> = {
  'run.created': (payload) => oneLine(field(payload, 'title', 'goal') ?? ''),
  'run.claimed': (payload) => (payload['worker'] ? `by worker ${brief(payload['worker'])}` : brief(payload)),
  'run.started': (payload) => (payload['pid'] === undefined ? brief(payload) : `as process ${brief(payload['pid'])}`),
  'run.failed': failed, 'run.completed': (payload) => oneLine(field(payload, 'output', 'result', 'message') ?? brief(payload)),
  'session.started': (payload) => [field(payload, 'model'), field(payload, 'cwd'), field(payload, 'version')].filter(Boolean).join(' · '),
  'turn.started': (payload) => field(payload, 'turn') ?? '',
  message: text, 'message.delta': text, thinking: (payload) => (payload['redacted'] === true ? 'not shown by the provider' : oneLine(field(payload, 'text') ?? '')),
  'agent.thinking': text, 'plan.generated': text, executing: text, 'input.received': text, 'input.delivered': (payload) => `number ${brief(payload['id'])}`,
  'tool.called': given,
  'tool.output': (payload) => oneLine(field(payload, 'output', 'text', 'chunk') ?? brief(payload)),
  'tool.result': (payload) => oneLine(field(payload, 'output', 'result', 'content') ?? brief(payload)),
  'span.end': (payload) => oneLine(field(payload, 'error', 'message') ?? (isBad(payload) ? 'failed' : 'ended')),
  'span.start': (payload) => field(payload, 'kind', 'type') ?? '',
  log: (_, event) => logText(event), raw: (_, event) => logText(event),
  usage: (payload) => `${count(tokens(numbers(payload)))} in all · ${count(numbers(payload)['output_tokens'] ?? 0)} written`,
  cost: (payload) => money(typeof payload['usd'] === 'number' ? payload['usd'] : null),
  retry: (payload) => retryText(payload), error: failed,
  'output.truncated': (payload) => `${brief(payload['cut_bytes'])} bytes of a line are left out`,
  'decision.resolved': (payload) => [field(payload, 'tool'), field(payload, 'decision'), field(payload, 'message')].filter(Boolean).map((each) => oneLine(each ?? '')).join(' · '),
}

/** What an event says, in one line. */
export function textOf(event: RunEvent): string {
  const payload = payloadOf(event)
  return plain(TELLERS[event.type]?.(payload, event) ?? brief(payload))
}

/** The figures of a payload. */
export function numbers(payload: Payload): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(payload).filter((each): each is [string, number] => typeof each[1] === 'number'))
}

function logText(event: RunEvent): string {
  const { lines, line } = payloadOf(event)
  const first = Array.isArray(lines) ? String(lines[0] ?? '') : String(line ?? '')
  return first.length > 2000 ? first.slice(0, 2000) : first
}

function retryText(payload: Payload): string {
  const wait = typeof payload['delay_ms'] === 'number' ? `, again in ${duration(payload['delay_ms'])}` : ''
  const why = [field(payload, 'http_status'), field(payload, 'kind')].filter(Boolean).join(' ')
  return `${field(payload, 'attempt') ?? '?'} of ${field(payload, 'max') ?? '?'}${wait}${why ? ` (${why})` : ''}`
}
