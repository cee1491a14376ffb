/** News of all runs, read from the server over HTTP. */
import type { Client } from 'openapi-fetch'
import { refusal, type TokenPlace } from './http'
import { chunksOf } from './run-source'
import type { RunsSource } from './runs-feed'
import type { paths } from './schema'
import type { Run } from './words'

const NEWEST = 20
const ACTIVE = 200

/** `client` for the probe, and a fetch of its own for the stream, which has no end. */
export function runsSource(client: Client<paths>, baseUrl: string, place: TokenPlace): RunsSource {
  const marks = async (q: string, limit: number, signal: AbortSignal) => {
    const { data } = await client.GET('/v1/runs', { params: { query: { q, limit } }, signal })
    return (data?.items ?? []).map(mark).join()
  }
  return {
    async probe(signal) {
      // The newest for what came and went between two probes; the active ones for what changed.
      const newest = await marks('', NEWEST, signal)
      return `${newest}|${await marks('is:active', ACTIVE, signal)}`
    },
    async stream(signal, topics) {
      const token = place.get()
      const headers = { accept: 'text/event-stream', ...(token === null ? {} : { authorization: `Bearer ${token}` }) }
      const response = await fetch(`${baseUrl}/v1/stream${topics.length > 0 ? `?topics=${['runs', ...topics].join()}` : ''}`, { headers, signal, cache: 'no-store' })
      if (!response.ok || response.body === null) throw await refusal(response)
      return chunksOf(response.body)
    },
  }
}

function mark(run: Run): string {
  return `${run.id}${run.status}${run.phase ?? ''}${run.desired}${run.last_seq}`
}
