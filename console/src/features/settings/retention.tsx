/** What is past its retention: counted, and deleted now instead of at the next sweep. */
import { useState } from 'react'
import { count } from '@/lib/format'
import { Button } from '@/ui/button'
import { Confirm } from '@/ui/dialog'
import { Refusal } from '@/ui/refusal'
import { type Pruned, usePrune } from './data'
import { Part } from './part'

const SETTINGS: readonly (readonly [string, string])[] = [
  ['retention.runs', 'days that an ended run is kept at all; 0 keeps it for ever'], ['retention.events', 'days that its timeline is kept; 0 keeps it for ever'],
  ['retention.spools', 'days that its raw output and secrets are kept'], ['retention.spools_bytes', 'disk that raw output may use on a worker; the oldest goes first'],
]

export function RetentionPart() {
  const prune = usePrune()
  const [isAsking, setAsking] = useState(false)
  const counted = prune.data?.isDry === true ? prune.data.found : null
  const actions = (
    <>
      <Button isBusy={prune.isPending} onClick={() => prune.mutate(true)}>Count what is past it</Button>
      {counted && isAny(counted) ? <Button look="danger" isBusy={prune.isPending} onClick={() => setAsking(true)}>Delete {words(counted)}</Button> : null}
    </>
  )
  return (
    <Part id="retention" lead="The server deletes by itself what is past its retention. Its settings:" actions={actions}>
      <dl className="grid gap-x-4 gap-y-1 sm:grid-cols-[auto_minmax(0,1fr)]">
        {SETTINGS.map(([name, meaning]) => <div key={name} className="contents"><dt className="font-mono text-xs leading-5">{name}</dt><dd className="text-muted">{meaning}</dd></div>)}
      </dl>
      <p role="status" className="mt-3">{prune.data ? outcome(prune.data.isDry, prune.data.found) : null}</p>
      {prune.error ? <Refusal error={prune.error} /> : null}
      <Confirm title="Delete what is past its retention?" action={counted ? `Delete ${words(counted)}` : 'Delete'} isOpen={isAsking} onClose={() => setAsking(false)} onConfirm={() => { setAsking(false); prune.mutate(false) }}>
        This cannot be undone.
      </Confirm>
    </Part>
  )
}

const isAny = ({ runs, events, secrets }: Pruned) => runs + events + secrets > 0

function outcome(isDry: boolean, found: Pruned): string {
  if (isDry) return isAny(found) ? `Past its retention: ${words(found)}.` : 'Nothing is past its retention.'
  return `Deleted ${words(found)}.${found.is_done ? '' : ' There is more: count and delete again.'}`
}

function words({ runs, events, secrets }: Pruned): string {
  const parts = ([[runs, 'run'], [events, 'event'], [secrets, 'file of secrets', 'files of secrets']] as const).filter(([number]) => number > 0)
  return parts.map(([number, one, many]) => `${count(number)} ${number === 1 ? one : (many ?? `${one}s`)}`).join(', ') || 'nothing'
}
