/** A run is made here, from nothing or as another one was. */
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useConfig } from '@/features/access'
import { useRunToCopy } from '@/features/new-run/data'
import { type Draft, draftOf, EMPTY, kept } from '@/features/new-run/draft'
import { NewRunForm } from '@/features/new-run/form'
import { Page } from '@/ui/page'
import { Empty, Failure, Skeleton } from '@/ui/states'
import { useToast } from '@/ui/toast'

const route = getRouteApi('/runs/new')

export default function NewRunPage() {
  const { from } = route.useSearch()
  const { scope } = useConfig()
  if (scope !== 'admin') return <Empty title="No access">You may only look here: to make runs, sign in with the scope admin.</Empty>
  if (from !== undefined && !/^[1-9][0-9]{0,15}$/.test(from)) return <Empty title="Not found">A run is named by its number.</Empty>
  const id = from === undefined ? null : Number(from)
  return <Page title={id === null ? 'New run' : `Run ${id} again, with edits`}>{id === null ? <Begun from={null} beginning={EMPTY} /> : <Copied key={id} id={id} />}</Page>
}

function Copied({ id }: { readonly id: number }) {
  const copied = useRunToCopy(id)
  if (copied.isPending) return <Skeleton rows={10} />
  if (copied.isError) return <Failure error={copied.error} onRetry={() => void copied.refetch()} />
  return <Begun from={id} beginning={copied.data ? draftOf(copied.data) : EMPTY} />
}

function Begun({ from, beginning }: { readonly from: number | null; readonly beginning: Draft }) {
  const navigate = useNavigate()
  const say = useToast()
  const [{ round, initial }, begin] = useState(() => ({ round: 0, initial: kept(sessionStorage, from) ?? beginning }))
  const made = (run: number) => {
    say(`Run ${run} is made.`)
    void navigate({ to: '/runs/$id', params: { id: String(run) } })
  }
  return <NewRunForm key={round} initial={initial} from={from} onMade={made} onClear={() => begin({ round: round + 1, initial: beginning })} />
}
