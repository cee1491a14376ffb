/** The console's pages and what is around them. */
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, Outlet, parseSearchWith, redirect, RouterProvider, stringifySearchWith, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { Gate, openAccess } from '@/features/access'
import { useInboxCount } from '@/features/inbox/count'
import { LiveProvider } from '@/features/live'
import { PAGES } from '@/features/shell/pages'
import { Shell } from '@/features/shell/shell'
import { Refused } from '@/lib/http'
import type { Command } from '@/lib/keys'
import { format, parse, quoted } from '@/lib/query'
import { Broken } from '@/ui/boundary'
import { CommandKeys, useCommands } from '@/ui/commands'
import { Empty, Skeleton } from '@/ui/states'
import { Toasts } from '@/ui/toast'

const queries: QueryClient = new QueryClient({
  // The session is over: the gate asks again and shows the way in.
  queryCache: new QueryCache({ onError: (error, query) => { if (error instanceof Refused && error.status === 401 && query.queryKey[0] !== 'config') void queries.resetQueries({ queryKey: ['config'] }) } }),
  defaultOptions: { queries: { retry: (count, error) => !(error instanceof Refused && error.isFinal) && count < 3, refetchOnWindowFocus: false }, mutations: { networkMode: 'always' } },
})

const access = openAccess()

function Root() {
  const navigate = useNavigate()
  useCommands(useMemo(() => [
    ...PAGES.map(({ to, title, keys }) => ({ id: `go${to}`, title: `Go to ${title}`, keys, group: 'Go to', run: () => void navigate({ to }) })),
    { id: 'new', title: 'New run', keys: 'c', hint: 'New', group: 'Anywhere', run: () => void navigate({ to: '/runs/new' }) },
  ], [navigate]))
  return <LiveProvider><Framed /></LiveProvider>
}

function Framed() {
  return <Shell waiting={useInboxCount()}><Outlet /></Shell>
}

/** What the address keeps of a page; a query such as `12` or `true` arrives as a number or a boolean. */
function texts<const N extends string>(...names: readonly N[]) {
  return (search: Record<string, unknown>): Partial<Record<N, string>> =>
    Object.fromEntries(names.flatMap((name) => (search[name] == null || search[name] === '' ? [] : [[name, String(search[name])]]))) as Partial<Record<N, string>>
}

const rootRoute = createRootRoute({ component: Root, notFoundComponent: NoPage })

function NoPage() {
  return (
    <>
      <h1 className="sr-only">Not found</h1>
      <Empty title="Not found">There is no page at this address. <Link to="/runs" className="text-accent underline">All runs</Link></Empty>
    </>
  )
}

const getParentRoute = () => rootRoute
const routes = [
  createRoute({ getParentRoute, path: '/', beforeLoad: () => { throw redirect({ to: '/runs' }) } }),
  createRoute({ getParentRoute, path: '/runs', validateSearch: texts('q', 'sort', 'view'), component: lazyRouteComponent(() => import('./runs')) }),
  createRoute({ getParentRoute, path: '/runs/new', validateSearch: texts('from'), component: lazyRouteComponent(() => import('./new-run')) }),
  createRoute({ getParentRoute, path: '/runs/$id', validateSearch: texts('view', 'seq', 'q', 'attempt'), component: lazyRouteComponent(() => import('./run')) }),
  createRoute({ getParentRoute, path: '/inbox', component: lazyRouteComponent(() => import('./inbox')) }),
  createRoute({ getParentRoute, path: '/dashboard', validateSearch: texts('since', 'until', 'by'), component: lazyRouteComponent(() => import('./dashboard')) }),
  createRoute({ getParentRoute, path: '/agents', validateSearch: texts('since', 'until', 'agent', 'a', 'b', 'sort'), component: lazyRouteComponent(() => import('./agents')) }),
  createRoute({ getParentRoute, path: '/workers', component: lazyRouteComponent(() => import('./workers')) }),
  createRoute({ getParentRoute, path: '/projects', component: lazyRouteComponent(() => import('./projects')) }),
  createRoute({ getParentRoute, path: '/settings', component: lazyRouteComponent(() => import('./settings')) }),
] as const

// All that an address keeps is text: `seq=54`, not `seq=%2254%22`.
const search = { parseSearch: parseSearchWith((text) => text), stringifySearch: stringifySearchWith(JSON.stringify) }
const router = createRouter({ routeTree: rootRoute.addChildren(routes), basepath: '/console', ...search, defaultPreload: 'intent', defaultPendingComponent: Skeleton, defaultErrorComponent: ({ error, reset }) => <Broken error={error} onRetry={reset} /> })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

/** What the palette makes of what was typed: a run by its number, or a search. */
function offered(typed: string): Command[] {
  const id = /^(?:run:\/\/|#)?([1-9][0-9]{0,15})$/.exec(typed)?.[1]
  const open: Command[] = id ? [{ id: 'open-run', title: `Open run ${id}`, run: () => void router.navigate({ to: '/runs/$id', params: { id } }) }] : []
  return typed === '' ? [] : [...open, { id: 'search-runs', title: `Search runs for ${typed}`, run: () => void router.navigate({ to: '/runs', search: { q: searched(typed) } }) }]
}

// What is no query is meant as text.
function searched(typed: string): string {
  try {
    return format(parse(typed))
  } catch {
    return quoted(typed)
  }
}

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <Toasts>
        <CommandKeys offer={offered}>
          <Gate access={access}><RouterProvider router={router} /></Gate>
        </CommandKeys>
      </Toasts>
    </QueryClientProvider>
  )
}
