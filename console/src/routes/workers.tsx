/** The workers: who is there, how busy, and what each can run. */
import { AsOf, Unread } from '@/features/as-of'
import { capacity, ordered, useWorkers } from '@/features/workers/data'
import { WorkerRow } from '@/features/workers/worker-row'
import { Snippet } from '@/ui/copy'
import { useNow } from '@/ui/now'
import { Page } from '@/ui/page'
import { Empty } from '@/ui/states'

export default function WorkersPage() {
  const now = useNow()
  const query = useWorkers()
  const workers = query.data ?? []
  const { online, running, slots } = capacity(workers)
  const newest = newestOf(workers.map((each) => each.version))
  const note = !query.data ? null : online > 0 ? `${online} online · ${running} of ${slots} places taken` : <span className="text-attention">None is online: runs wait in the queue.</span>
  return (
    <Page title="Workers" note={note} notice={<AsOf query={query} />}>
      {query.data ? null : <Unread query={query} rows={4} />}
      {query.data && workers.length === 0 ? (
        <Empty title="No worker yet">
          <p className="mb-3">Runs wait in the queue until a worker takes them. On this host:</p>
          <Snippet text="agentrunner worker" label="Start a worker" />
        </Empty>
      ) : null}
      {workers.length ? <ul aria-label="Workers">{ordered(workers).map((worker) => <WorkerRow key={worker.id} worker={worker} now={now} isNewest={worker.version === newest} />)}</ul> : null}
    </Page>
  )
}

/** The highest version by its numbers. */
function newestOf(versions: readonly string[]): string | undefined {
  return [...versions].sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))[0]
}
