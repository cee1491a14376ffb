/** Requests that always end: aborted by their owner, by a hard time-out, or by an answer; errors as the server words them. */
import createClient, { type Client } from 'openapi-fetch'
import type { components, paths } from './schema'

export type Problem = components['schemas']['Problem']
export const READ_MS = 10_000
export const WRITE_MS = 20_000

/** The server refused. `detail` is for a person; `requestId` finds the request in the server's log. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null,
    readonly retryAfterMs: number | null,
  ) {
    super(message)
  }

  /** Whether the same request would be refused again until a person does something. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 425 && this.status !== 429
  }
}

/** No answer in time. */
export class TimedOut extends Error {
  override name = 'TimedOut'
}

/** Nothing was sent, or no answer came back: what was asked for may be tried again. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

/** Do `work` with a signal that is aborted with `outer` or after `ms`; then raises `TimedOut`. */
export async function within<T>(ms: number, outer: AbortSignal | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  outer?.throwIfAborted()
  const inner = new AbortController()
  const stop = () => inner.abort(outer?.reason)
  const timer = setTimeout(() => inner.abort(new TimedOut(`No answer within ${ms / 1000} s.`)), ms)
  outer?.addEventListener('abort', stop)
  try {
    return await Promise.race([work(inner.signal), aborted(inner.signal)])
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', stop)
    inner.abort()
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}

/** What a response refused, in the server's words where it has some. */
export async function refusal(response: Response): Promise<Refused> {
  const problem = await response.json().catch(() => null) as Partial<Problem> | null
  const detail = typeof problem?.detail === 'string' ? problem.detail : `The server answered ${response.status}.`
  const requestId = problem?.request_id ?? response.headers.get('x-request-id')
  return new Refused(response.status, problem?.code ?? 'unknown', detail, requestId, retryAfter(response.headers.get('retry-after')))
}

/** `Retry-After` in milliseconds, of either form; null where there is none. */
export function retryAfter(text: string | null, now = Date.now()): number | null {
  if (text === null) return null
  if (/^[0-9]{1,9}$/.test(text.trim())) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}

/** Where a token is found; null where the cookie of the session says who asks. */
export interface TokenPlace {
  get(): string | null
}

/** `fetch` with the token, a hard time-out, and `Refused` for every answer that is an error. */
export function guarded(place: TokenPlace, fetcher: typeof fetch = fetch): (request: Request) => Promise<Response> {
  return async (request) => {
    const headers = new Headers(request.headers)
    const token = place.get()
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    // The cookie alone may not change anything; a foreign page cannot send this header without being asked first.
    if (!isRead) headers.set('x-agentrunner-console', '1')
    // Refused and not kept for later: what a person wished minutes ago may be wrong by then.
    if (!isRead && isOffline()) throw new Unreachable('You are offline. Nothing was sent; try again once you are back.')
    const answer = await within(isRead ? READ_MS : WRITE_MS, request.signal, async (signal) => {
      const response = await fetcher(new Request(request, { headers, signal, credentials: 'same-origin' })).catch(unreachable)
      // The body belongs to the time-out too: a head alone is no answer.
      return { response, body: await response.arrayBuffer() }
    })
    const { status, statusText, headers: received } = answer.response
    const whole = new Response(status === 204 ? null : answer.body, { status, statusText, headers: received })
    if (!whole.ok) throw await refusal(whole)
    return whole
  }
}

// Browsers word a failed connection each in its own way; an abort stays what it is.
function unreachable(error: unknown): never {
  if (error instanceof TypeError) throw new Unreachable('The server did not answer. It may be restarting.', { cause: error })
  throw error
}

function isOffline(): boolean {
  return typeof navigator !== 'undefined' && navigator.onLine === false
}

/** A fresh `Idempotency-Key`: the same deed, sent again, is done once. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The server's API, typed by its own document. */
export function api(baseUrl: string, place: TokenPlace, fetcher?: typeof fetch): Client<paths> {
  return createClient<paths>({ baseUrl, fetch: guarded(place, fetcher) })
}
