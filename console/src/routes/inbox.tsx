/** What needs a person now. */
import { Link } from '@tanstack/react-router'
import { CheckCheck } from 'lucide-react'
import { AsOf, Unread } from '@/features/as-of'
import { useNeeds, useSeen } from '@/features/inbox/count'
import { NeedList } from '@/features/inbox/list'
import { withAllSeen, withSeen } from '@/features/inbox/need'
import { Button } from '@/ui/button'
import { useNow } from '@/ui/now'
import { Page } from '@/ui/page'
import { Empty } from '@/ui/states'

export default function InboxPage() {
  const now = useNow()
  const [seen, setSeen] = useSeen()
  const { query, found } = useNeeds()
  const hasFailed = found.some((each) => each.group === 'failed')
  const actions = hasFailed ? <Button onClick={() => setSeen(withAllSeen(seen, found))}><CheckCheck aria-hidden="true" className="size-4" />Mark all failures as seen</Button> : null
  const note = query.data ? `${found.length}${query.data.isWhole ? '' : '+'}` : null
  return (
    <Page title="Inbox" note={note} actions={actions} notice={<AsOf query={query} />}>
      {query.data ? null : <Unread query={query} rows={8} />}
      {query.data && found.length === 0 ? (
        <Empty title="Nothing needs you">
          <p>Runs that fail, stall, lose their worker or wait for an answer come here by themselves.</p>
          <p className="mt-3"><Link to="/runs" search={{ q: 'status:failed' }} className="text-accent underline">All failed runs</Link></p>
        </Empty>
      ) : null}
      {found.length ? <NeedList needs={found} now={now} onSeen={(id) => setSeen(withSeen(seen, id))} /> : null}
      {query.data && !query.data.isWhole ? <p className="px-4 py-3 text-muted">There are more; these are the 100 newest of each kind.</p> : null}
    </Page>
  )
}
