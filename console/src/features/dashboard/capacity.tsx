/** How much of the workers is taken right now, and what waits for them. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ListOrdered, Server } from 'lucide-react'
import { useAccess, useConfig } from '@/features/access'
import { OFTEN_MS } from '@/features/charts/figures'
import { whole } from '@/features/charts/written'
import { every } from '@/features/polled'

function useSlots() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['dashboard', 'slots'],
    queryFn: async ({ signal }) => {
      const online = (await client.GET('/v1/workers', { signal })).data?.items.filter((each) => each.online) ?? []
      return { all: online.reduce((sum, each) => sum + each.slots, 0), taken: online.reduce((sum, each) => sum + each.running, 0) }
    },
    meta: { live: true },
    ...every(OFTEN_MS),
  })
}

/** The server tells the queue's length to admins only. */
function useQueued() {
  const { client } = useAccess()
  const isAdmin = useConfig().scope === 'admin'
  return useQuery({
    queryKey: ['dashboard', 'queued'], enabled: isAdmin,
    queryFn: async ({ signal }) => (await client.GET('/v1/system', { signal })).data?.queue.queued ?? null,
    ...every(OFTEN_MS),
  })
}

export function Capacity() {
  const { data: slots, isError } = useSlots()
  const queued = useQueued()
  const waiting = queued.isError ? null : (queued.data ?? null)
  if (!slots || isError) return null
  const isTight = slots.taken >= slots.all
  const shape = 'inline-flex min-h-7 items-center gap-1.5 text-xs hover:text-ink'
  return (
    <span className="flex flex-wrap items-center gap-x-4">
      <Link to="/workers" className={`${shape} ${isTight ? 'text-attention' : 'text-muted'}`}>
        <Server aria-hidden="true" className="size-3.5" />{slots.all === 0 ? 'No worker online' : `${whole(slots.taken)} of ${whole(slots.all)} slots taken`}
      </Link>
      {waiting === null ? null : (
        <Link to="/runs" search={{ q: 'status:queued' }} className={`${shape} ${waiting > 0 && isTight ? 'text-attention' : 'text-muted'}`}>
          <ListOrdered aria-hidden="true" className="size-3.5" />{waiting === 0 ? 'Nothing waits' : `${whole(waiting)} ${waiting === 1 ? 'waits' : 'wait'}`}
        </Link>
      )}
    </span>
  )
}
