/** A run read from the server over HTTP. */
import type { Client } from 'openapi-fetch'
import { refusal, type TokenPlace } from './http'
import type { RunSource } from './run-feed'
import type { components, paths } from './schema'
import type { Run } from './words'

export type RunEvent = components['schemas']['EventView']

/** A source whose streams are of one run alone. */
export interface Alone extends RunSource<RunEvent, Run> {
  stream(after: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

/** The source of run `id`; `fetcher` is for the stream, everything else goes by `client`. */
export function runSource(client: Client<paths>, baseUrl: string, place: TokenPlace, id: number): Alone {
  return {
    async run(signal) {
      const { data } = await client.GET('/v1/runs/{run_id}', { params: { path: { run_id: id } }, signal })
      return answered(data)
    },
    async page(after, limit, signal) {
      const params = { path: { run_id: id }, query: { after, limit } }
      const { data } = await client.GET('/v1/runs/{run_id}/events', { params, signal })
      return answered(data)
    },
    async stream(after, signal) {
      const token = place.get()
      const headers = { accept: 'text/event-stream', ...(token === null ? {} : { authorization: `Bearer ${token}` }) }
      const response = await fetch(`${baseUrl}/v1/runs/${id}/stream?after=${after}`, { headers, signal, cache: 'no-store' })
      if (!response.ok || response.body === null) throw await refusal(response)
      return chunksOf(response.body)
    },
  }
}

function answered<T>(data: T | undefined): T {
  if (data === undefined) throw new TypeError('The answer has no body.')
  return data
}

/** A body's chunks; not every browser lets a body be iterated. */
export async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
