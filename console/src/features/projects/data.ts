/** Projects, page by page, and what their finished runs used. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { components } from '@/lib/schema'
import { useAccess } from '../access'
import { AT_ONCE } from '../polled'

export type Project = components['schemas']['ProjectView']

const PAGE = 100

export function useProjectPages() {
  const { client } = useAccess()
  return useInfiniteQuery({
    queryKey: ['projects', 'pages'],
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await client.GET('/v1/projects', { params: { query: { limit: PAGE, ...(pageParam === null ? {} : { cursor: pageParam }) } }, signal })
      return data ?? { items: [], next_cursor: null }
    },
    getNextPageParam: (page) => page.next_cursor,
  })
}

/** What finished runs of each project used and cost, ever; those that are not in it have none. */
export function useProjectUsage() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['usage', 'project'],
    queryFn: async ({ signal }) => new Map((await client.GET('/v1/usage', { params: { query: { by: 'project' } }, signal })).data?.items.map((line) => [line.project, line])),
    staleTime: 30_000,
  })
}

/** What the form says, as text. */
export interface ProjectDraft {
  readonly name: string
  readonly path: string
  readonly maxRunning: string
}

/** What is wrong before anything is asked, by field. */
export function mistakesOf(draft: ProjectDraft): Partial<Record<keyof ProjectDraft, string>> {
  const { name, path, maxRunning } = draft
  return {
    ...(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/.test(name) ? {} : { name: name === '' ? 'Give it a name.' : 'Up to 100 letters, digits, dots, blanks, underscores and hyphens; the first a letter or digit.' }),
    ...(path === '' || (path.startsWith('/') && path.length <= 4096) ? {} : { path: 'An absolute path, from / on.' }),
    ...(maxRunning === '' || (/^[0-9]{1,6}$/.test(maxRunning) && Number(maxRunning) >= 1 && Number(maxRunning) <= 100_000) ? {} : { maxRunning: 'A whole number from 1 to 100000, or nothing.' }),
  }
}

/** Create a project, or replace the settings of one that is there. */
export function useSave(existing: Project | null, onSaved: (project: Project) => void) {
  const { client } = useAccess()
  const queries = useQueryClient()
  return useMutation({
    ...AT_ONCE,
    mutationFn: async (draft: ProjectDraft) => {
      const settings = { max_running: draft.maxRunning === '' ? null : Number(draft.maxRunning) }
      if (existing) return (await client.PATCH('/v1/projects/{name}', { params: { path: { name: existing.name } }, body: { settings } })).data
      return (await client.POST('/v1/projects', { body: { name: draft.name, path: draft.path || null, settings } })).data
    },
    onSuccess: (project) => { if (project) onSaved(project) },
    onSettled: () => queries.invalidateQueries({ queryKey: ['projects'] }),
  })
}
