/** What can be done from the Inbox without opening a run. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { Action } from '@/lib/words'
import { useToast } from '@/ui/toast'
import { useAccess } from '../access'
import { AT_ONCE, newKey } from '../polled'

const SAID: Readonly<Record<Action, string>> = { pause: 'is to pause', resume: 'goes on', stop: 'is being stopped', retry: 'runs again as' }

export interface Deed {
  readonly id: number
  readonly action: Action
}

/** Pause, resume, stop or retry; `onDone` with the run that the deed was done to. */
export function useDeed(onDone: (deed: Deed) => void) {
  const { client } = useAccess()
  const queries = useQueryClient()
  const say = useToast()
  return useMutation({
    ...AT_ONCE,
    mutationFn: async ({ id, action }: Deed) => {
      const path = { run_id: id }
      if (action !== 'retry') return client.POST(`/v1/runs/{run_id}/${action}`, { params: { path } })
      return client.POST('/v1/runs/{run_id}/retry', { params: { path, header: { 'Idempotency-Key': newKey() } } })
    },
    onSuccess: ({ data }, deed) => {
      say(`Run ${deed.id} ${SAID[deed.action]}${deed.action === 'retry' && data ? ` run ${data.id}` : ''}.`)
      onDone(deed)
    },
    onError: (error, { id }) => say(`Run ${id}: ${error.message}`, true),
    onSettled: () => queries.invalidateQueries({ queryKey: ['inbox'] }),
  })
}

/** Send text to an agent that waits for it. */
export function useReply(id: number, onSent: () => void) {
  const { client } = useAccess()
  const queries = useQueryClient()
  return useMutation({
    ...AT_ONCE,
    mutationFn: ({ text, key }: { readonly text: string; readonly key: string }) =>
      client.POST('/v1/runs/{run_id}/inputs', { params: { path: { run_id: id }, header: { 'Idempotency-Key': key } }, body: { text } }),
    onSuccess: onSent,
    onSettled: () => queries.invalidateQueries({ queryKey: ['inbox'] }),
  })
}

/** Why a run is where it is and what helps, read once it is asked for. */
export function useExplanation(id: number) {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['run', id, 'explain'],
    queryFn: async ({ signal }) => (await client.GET('/v1/runs/{run_id}/explain', { params: { path: { run_id: id } }, signal })).data ?? null,
    staleTime: 5000,
  })
}
