/** The server as this tab may use it: by cookie or by token, and a clear page where neither is good. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Client } from 'openapi-fetch'
import { createContext, type ReactNode, useContext } from 'react'
import { api, Refused, type TokenPlace } from '@/lib/http'
import type { components, paths } from '@/lib/schema'
import { BY_COOKIE } from '@/lib/session'
import { Failure, Skeleton } from '@/ui/states'
import { SignIn } from './sign-in'

/** What the server says of itself, and when it was heard by this device's clock. */
export type Config = components['schemas']['ConfigView'] & { readonly heardAt: number }

export interface Access {
  readonly client: Client<paths>
  readonly session: TokenPlace
}

export function openAccess(): Access {
  return { session: BY_COOKIE, client: api(location.origin, BY_COOKIE) }
}

const Current = createContext<Access | null>(null)
const Facts = createContext<Config | null>(null)

export function useAccess(): Access {
  const access = useContext(Current)
  if (!access) throw new Error('This stands outside the gate.')
  return access
}

/** What the server says of itself; read once. */
export function useConfig(): Config {
  const config = useContext(Facts)
  if (!config) throw new Error('This stands outside the gate.')
  return config
}

/** Whether whoever is signed in may change anything, or only look. */
export function useMayAct(): boolean {
  return useConfig().scope === 'admin'
}

/** Shows what is inside once the server lets this tab in. */
export function Gate({ access, children }: { readonly access: Access; readonly children: ReactNode }) {
  const config = useQuery({
    queryKey: ['config'],
    queryFn: async ({ signal }): Promise<Config | null> => {
      const { data } = await access.client.GET('/v1/config', { signal })
      return data ? { ...data, heardAt: Date.now() } : null
    },
    retry: (count, error) => !(error instanceof Refused) && count < 2,
    staleTime: Infinity,
    gcTime: Infinity,
  })
  if (config.isSuccess && config.data) return <Current value={access}><Facts value={config.data}>{children}</Facts></Current>
  if (config.isPending) return <Opening />
  if (config.error instanceof Refused && config.error.status === 401) return <Entrance access={access} />
  return <main className="grid h-full place-items-center"><Failure error={config.error} onRetry={() => void config.refetch()} /></main>
}

/** The token goes to the server once, which answers with the cookie; it is kept nowhere here. */
function Entrance({ access }: { readonly access: Access }) {
  const queries = useQueryClient()
  const enter = useMutation({
    mutationFn: (token: string) => access.client.POST('/v1/logins/token', { body: { token } }),
    onSuccess: () => queries.resetQueries(),
  })
  return <SignIn problem={enter.error?.message ?? null} isBusy={enter.isPending} onToken={(token) => enter.mutate(token)} />
}

/** End this browser's session; the gate then shows the way in. */
export function useSignOut(): () => void {
  const { client } = useAccess()
  const queries = useQueryClient()
  const leave = useMutation({ mutationFn: () => client.POST('/v1/logout'), onSettled: () => queries.resetQueries({ queryKey: ['config'] }) })
  return () => leave.mutate()
}

function Opening() {
  return <main className="mx-auto max-w-md p-8"><h1 className="sr-only">Agent Runner</h1><Skeleton rows={4} /></main>
}
