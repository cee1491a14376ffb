import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, Refused } from './http'
import { runSource } from './run-source'

let server: Server
let base = ''
const asked: { method: string | undefined; url: string | undefined; token: string | undefined; mark: string | undefined }[] = []

const problem = { type: 't', title: 'No', status: 404, code: 'not_found', detail: 'There is no run 9.', request_id: 'abc' }

beforeAll(async () => {
  server = createServer((request, response) => {
    const mark = request.headers['x-agentrunner-console']
    asked.push({ method: request.method, url: request.url, token: request.headers.authorization, mark: typeof mark === 'string' ? mark : undefined })
    if (request.url?.includes('/9')) response.writeHead(404, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
    else if (request.url?.includes('/8')) response.writeHead(502, { 'retry-after': '3', 'x-request-id': 'r8' }).end('<html>proxy</html>')
    else if (request.url?.includes('/stream')) response.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 1000\n\nid: 1\ndata: {"seq":1}\n\n')
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[],"next_cursor":null}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const place = (token: string | null) => ({ get: () => token })

describe('a request', () => {
  it('carries the token, and a mark where it changes something', async () => {
    const client = api(base, place('secret'))
    await client.GET('/v1/runs')
    await client.POST('/v1/runs/{run_id}/stop', { params: { path: { run_id: 1 } } })
    expect(asked.slice(-2).map(({ token, mark }) => [token, mark])).toEqual([['Bearer secret', undefined], ['Bearer secret', '1']])
  })

  it('carries no token where there is none, for the cookie to count', async () => {
    await api(base, place(null)).GET('/v1/runs')
    expect(asked.at(-1)?.token).toBeUndefined()
  })

  it("is refused in the server's words", async () => {
    const refused = await api(base, place('t')).GET('/v1/runs/{run_id}', { params: { path: { run_id: 9 } } }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Refused)
    expect(refused).toMatchObject({ status: 404, code: 'not_found', message: 'There is no run 9.', requestId: 'abc', isFinal: true })
  })

  it('is refused by something in between with what it said', async () => {
    const refused = await api(base, place('t')).GET('/v1/runs/{run_id}', { params: { path: { run_id: 8 } } }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ status: 502, code: 'unknown', requestId: 'r8', retryAfterMs: 3000, isFinal: false })
  })
})

describe('the source of a run', () => {
  it('streams from a cursor', async () => {
    const source = runSource(api(base, place('t')), base, place('t'), 1)
    let text = ''
    for await (const chunk of await source.stream(5, new AbortController().signal)) text += new TextDecoder().decode(chunk)
    expect(text).toContain('id: 1')
    expect(asked.at(-1)).toMatchObject({ url: '/v1/runs/1/stream?after=5', token: 'Bearer t' })
  })

  it('has the refusal of a stream in words', async () => {
    const source = runSource(api(base, place('t')), base, place('t'), 9)
    await expect(source.stream(0, new AbortController().signal)).rejects.toMatchObject({ status: 404, requestId: 'abc' })
  })

  it('pages and reads', async () => {
    const source = runSource(api(base, place('t')), base, place('t'), 1)
    expect(await source.page(3, 10, new AbortController().signal)).toEqual({ items: [], next_cursor: null })
    expect(asked.at(-1)?.url).toBe('/v1/runs/1/events?after=3&limit=10')
  })
})
