/** Figures as the server has counted them, read again while somebody looks. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useAccess } from '@/features/access'
import { every } from '@/features/polled'
import type { components } from '@/lib/schema'
import type { Range } from './range'

/** Whose figures, and by what they are told apart. */
export interface Asked extends Range {
  readonly agent?: string
  readonly by?: components['schemas']['By']
}

/** How often what changes with every run is read. */
export const OFTEN_MS = 15_000
const SELDOM_MS = 60_000

/** How often figures are read: those of a short time change faster than those of a long one. */
const often = (range: Range): number => (/^[0-9]+[hms]$/.test(range.since) ? OFTEN_MS : SELDOM_MS)

/** Figures over time; `since` decides how long each stretch is. */
export function useStats(asked: Asked, isWanted = true) {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['stats', asked],
    queryFn: async ({ signal }) => (await client.GET('/v1/stats', { params: { query: asked }, signal })).data ?? null,
    placeholderData: keepPreviousData,
    enabled: isWanted,
    ...every(often(asked)),
  })
}

/** Tokens, cost and outcomes as lines, the dearest first. */
export function useUsage(asked: Asked) {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['usage', asked],
    queryFn: async ({ signal }) => (await client.GET('/v1/usage', { params: { query: asked }, signal })).data ?? null,
    placeholderData: keepPreviousData,
    ...every(often(asked)),
  })
}
