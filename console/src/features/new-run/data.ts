/** What the form has to know before it can be filled: projects, what workers offer, the run to begin from. */
import { useQuery } from '@tanstack/react-query'
import { useAccess } from '../access'
import { hasProgram, type Worker } from '../workers/data'

/** The first 500 projects; `isWhole` is false where there are more. */
export function useProjects() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['projects', 'choice'],
    queryFn: async ({ signal }) => {
      const { data } = await client.GET('/v1/projects', { params: { query: { limit: 500 } }, signal })
      return { names: (data?.items ?? []).map((each) => each.name), isWhole: !data?.next_cursor }
    },
    staleTime: 30_000,
  })
}

export function useRunToCopy(id: number | null) {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['run', id, 'copy'],
    queryFn: async ({ signal }) => (await client.GET('/v1/runs/{run_id}', { params: { path: { run_id: id ?? 0 } }, signal })).data ?? null,
    enabled: id !== null,
    staleTime: Infinity,
    gcTime: 0,
  })
}

/** The backends that can be chosen: those of the workers and those that come with the server, the most used first. */
export function backendNames(workers: readonly Worker[]): string[] {
  const offered = workers.flatMap((worker) => worker.backends).filter((name) => name !== 'external')
  const known = ['claude', 'command', 'script', 'demo', 'replay']
  return [...new Set([...known, ...offered.sort()])]
}

/** Whether a run of a backend would find a worker now, in words; `advice` is what its workers say to do where it would not. */
export interface Offer {
  readonly text: string
  readonly isGood: boolean
  readonly version: string | null
  readonly advice: string | null
}

export function offer(name: string, workers: readonly Worker[]): Offer {
  const online = workers.filter((worker) => worker.online)
  const found = online.filter((worker) => worker.backends.includes(name)).map((worker) => worker.programs[name])
  const ready = found.filter((program) => program?.available !== false)
  const versions = [...new Set(ready.flatMap((program) => (program?.version && hasProgram(name) ? [program.version] : [])))]
  const none = (text: string, advice: string | null = null): Offer => ({ text, isGood: false, version: null, advice })
  if (online.length === 0) return none('No worker is online')
  if (found.length === 0) return none('No worker offers it')
  if (ready.length === 0) return none('Not installed on any worker', found.find((program) => program?.advice)?.advice ?? null)
  return { text: online.length === 1 ? 'Ready' : `Ready on ${ready.length} of ${online.length} workers`, isGood: true, version: versions.join(', ') || null, advice: null }
}
