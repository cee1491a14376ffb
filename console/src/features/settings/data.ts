/** What Settings reads and changes on the server. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { components } from '@/lib/schema'
import { useToast } from '@/ui/toast'
import { useAccess } from '../access'
import { AT_ONCE, every } from '../polled'

type Schemas = components['schemas']
export type System = Schemas['SystemView']
export type Finding = Schemas['Check']
export type Service = Schemas['ServiceView']
export type Token = Schemas['TokenView']
export type Session = Schemas['SessionView']
export type Scope = Schemas['Scope']
export type Pruned = Schemas['Pruned']

const EVERY_MS = 10_000

/** Health of server, database and queue; it needs the scope `admin`. */
export function useSystem() {
  const { client } = useAccess()
  return useQuery({ queryKey: ['system'], queryFn: async ({ signal }) => (await client.GET('/v1/system', { signal })).data ?? null, ...every(EVERY_MS) })
}

/** The optional services that are configured, as the server last found them. */
export function useServices() {
  const { client } = useAccess()
  return useQuery({ queryKey: ['services'], queryFn: async ({ signal }) => (await client.GET('/v1/services', { signal })).data?.items ?? [], ...every(EVERY_MS) })
}

export function useTokens() {
  const { client } = useAccess()
  return useQuery({ queryKey: ['tokens'], queryFn: async ({ signal }) => (await client.GET('/v1/tokens', { signal })).data?.items ?? [] })
}

/** The answer is the only place where the token's text shows; it is kept nowhere but in what `onMade` makes of it. */
export function useMakeToken(onMade: (token: Schemas['CreatedToken']) => void) {
  const { client } = useAccess()
  const queries = useQueryClient()
  return useMutation({
    ...AT_ONCE,
    mutationFn: async (body: Schemas['NewToken']) => (await client.POST('/v1/tokens', { body })).data,
    onSuccess: (made) => { if (made) onMade(made) },
    onSettled: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
    gcTime: 0,
  })
}

export function useRevokeToken() {
  const { client } = useAccess()
  const queries = useQueryClient()
  const say = useToast()
  return useMutation({
    ...AT_ONCE,
    mutationFn: (token: Token) => client.DELETE('/v1/tokens/{token_id}', { params: { path: { token_id: token.id } } }),
    onSuccess: (_, token) => say(`Token ${token.name} is revoked.`),
    onError: (error) => say(error.message, true),
    // Sessions that were opened with it end too, perhaps this one.
    onSettled: () => Promise.all(['tokens', 'sessions', 'config'].map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  })
}

export function useSessions() {
  const { client } = useAccess()
  return useQuery({ queryKey: ['sessions'], queryFn: async ({ signal }) => (await client.GET('/v1/sessions', { signal })).data?.items ?? [] })
}

export function useEndSession() {
  const { client } = useAccess()
  const queries = useQueryClient()
  const say = useToast()
  return useMutation({
    ...AT_ONCE,
    mutationFn: (session: Session) => client.DELETE('/v1/sessions/{session_id}', { params: { path: { session_id: session.id } } }),
    onSuccess: () => say('The browser is signed out.'),
    onError: (error) => say(error.message, true),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  })
}

/** A link that signs one more browser in, once, within five minutes. */
export function useInvite() {
  const { client } = useAccess()
  return useMutation({ ...AT_ONCE, mutationFn: async (scope: Scope) => (await client.POST('/v1/logins', { body: { scope } })).data, gcTime: 0 })
}

/** Count what is past its retention, or delete it: some seconds of work each time, until it is done. */
export function usePrune() {
  const { client } = useAccess()
  const queries = useQueryClient()
  return useMutation({
    ...AT_ONCE,
    mutationFn: async (isDry: boolean) => ({ isDry, found: await pruned(async () => (await client.POST('/v1/retention', { body: { dry_run: isDry } })).data, isDry) }),
    onSuccess: ({ isDry }) => { if (!isDry) void queries.invalidateQueries() },
  })
}

const MOST_ROUNDS = 20

async function pruned(ask: () => Promise<Pruned | undefined>, isDry: boolean): Promise<Pruned> {
  let all: Pruned = { runs: 0, events: 0, secrets: 0, is_done: false, instance_id: '' }
  for (let round = 0; round < MOST_ROUNDS && !all.is_done; round++) {
    const next = await ask()
    if (!next) break
    all = { runs: all.runs + next.runs, events: all.events + next.events, secrets: all.secrets + next.secrets, is_done: next.is_done || isDry, instance_id: next.instance_id }
    if (isDry) return { ...all, is_done: next.is_done }
  }
  return all
}
