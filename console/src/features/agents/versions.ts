/** The versions of an agent: what they are made of, and what their runs of a time came to. */
import { useQuery } from '@tanstack/react-query'
import { useAccess } from '@/features/access'
import { useUsage } from '@/features/charts/figures'
import type { Range } from '@/features/charts/range'
import type { Figures } from '@/features/charts/stretches'
import { every } from '@/features/polled'
import type { components } from '@/lib/schema'

type Known = components['schemas']['VersionFigures']
type Line = components['schemas']['UsageLine']

/** A version; `figures` is null where no run of it ended in the time, `made` where it is too old to be listed. */
export interface Version {
  readonly name: string
  readonly figures: Figures | null
  readonly made: Known | null
}

const MOST = 500
const KNOWN_MS = 60_000

export function useVersions(agent: string, range: Range) {
  const { client } = useAccess()
  const usage = useUsage({ ...range, agent, by: 'version' })
  const known = useQuery({
    queryKey: ['versions', agent],
    queryFn: async ({ signal }) => {
      const found = (await client.GET('/v1/agents', { params: { query: { name: agent } }, signal })).data?.items[0]
      if (!found) return []
      return (await client.GET('/v1/agents/{agent_id}/versions', { params: { path: { agent_id: found.id }, query: { limit: MOST } }, signal })).data?.items ?? []
    },
    ...every(KNOWN_MS),
  })
  return { usage, known }
}

/** The newest first; those that are not listed last. */
export function joined(known: readonly Known[], lines: readonly Line[]): Version[] {
  const figures = new Map(lines.flatMap((each) => (each.version === null ? [] : [[each.version, each.figures] as const])))
  const listed = known.map((made) => ({ name: made.version, figures: figures.get(made.version) ?? null, made }))
  const names = new Set(known.map((each) => each.version))
  const others = [...figures].flatMap(([name, found]) => (names.has(name) ? [] : [{ name, figures: found, made: null }]))
  return [...listed, ...others]
}

/** Which two are compared: those asked for, else the two that ran last; `a` is the older. */
export function pair(versions: readonly Version[], a: string | undefined, b: string | undefined): readonly [Version, Version] | null {
  const named = (name: string | undefined) => versions.find((each) => each.name === name)
  const seen = ({ figures, made }: Version) => Date.parse(figures?.last_seen ?? made?.figures.last_seen ?? '') || 0
  const recent = [...versions].sort((one, other) => seen(other) - seen(one) || age(other) - age(one))
  const second = named(b) ?? recent.find((each) => each !== named(a))
  const first = named(a) ?? recent.filter((each) => each !== second).sort((one, other) => seen(other) - seen(one))[0]
  if (!first || !second || first === second) return null
  return a === undefined && b === undefined && age(first) > age(second) ? [second, first] : [first, second]
}

const age = ({ made }: Version) => made?.id ?? 0
