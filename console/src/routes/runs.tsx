/** The list of runs; what is looked for and how it is sorted stands in the address. */
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { RunsPage } from '@/features/runs/page'
import { parseSort } from '@/lib/runs-list'

const route = getRouteApi('/runs')

export default function RunsRoute() {
  const { q = '', sort } = route.useSearch()
  const navigate = useNavigate()
  const go = (next: { q: string; sort: string | undefined }) =>
    void navigate({ to: '/runs', search: { ...(next.q ? { q: next.q } : {}), ...(next.sort ? { sort: next.sort } : {}) } })
  return (
    <RunsPage
      q={q} sort={parseSort(sort)} onSearch={(text) => go({ q: text, sort })} onSort={(text) => go({ q, sort: text })}
      onOpen={(id) => void navigate({ to: '/runs/$id', params: { id: String(id) } })}
    />
  )
}
