/** Workers as the server knows them. */
import { useQuery } from '@tanstack/react-query'
import type { components } from '@/lib/schema'
import { useAccess } from '../access'
import { every } from '../polled'

export type Worker = components['schemas']['WorkerView']

const EVERY_MS = 5000

/** Read again every five seconds while it is looked at: a lease is over in fifteen. */
export function useWorkers() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['workers'],
    queryFn: async ({ signal }) => (await client.GET('/v1/workers', { signal })).data?.items ?? [],
    ...every(EVERY_MS),
  })
}

/** Capacity of all that are online. */
export function capacity(workers: readonly Worker[]): { readonly online: number; readonly running: number; readonly slots: number } {
  const online = workers.filter((worker) => worker.online)
  const sum = (of: (worker: Worker) => number) => online.reduce((total, worker) => total + of(worker), 0)
  return { online: online.length, running: sum((worker) => worker.running), slots: sum((worker) => worker.slots) }
}

/** Those online first, then by the time they were last heard of. */
export function ordered(workers: readonly Worker[]): Worker[] {
  const heard = (worker: Worker) => (worker.heard_at === null ? 0 : Date.parse(worker.heard_at))
  return [...workers].sort((a, b) => Number(b.online) - Number(a.online) || (a.online ? a.name.localeCompare(b.name) : heard(b) - heard(a)))
}

export interface Offered {
  readonly name: string
  readonly isUsable: boolean
  readonly detail: string
  readonly advice: string | null
}

/** The backends that a worker can run, and those whose program it lacks, with what to do. */
export function backends(worker: Worker): readonly Offered[] {
  return worker.backends.map((name) => {
    const found = worker.programs[name]
    return { name, isUsable: found?.available !== false, detail: found === undefined ? 'not looked for yet' : found.note ?? program(name, found), advice: found?.advice ?? null }
  })
}

const OWN: ReadonlySet<string> = new Set(['command', 'demo', 'script', 'replay'])

/** Backends of the worker itself run on its own Python, whose version says nothing about them. */
export function hasProgram(backend: string): boolean {
  return !OWN.has(backend)
}

function program(name: string, found: { readonly program?: string | null; readonly version?: string | null }): string {
  return (hasProgram(name) && [found.version, found.program].filter((each) => each != null).join(' · ')) || 'built in'
}
