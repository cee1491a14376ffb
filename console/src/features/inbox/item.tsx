/** One need: what it is and since when, and opened why, what helps, and what can be done here. */
import { Link } from '@tanstack/react-router'
import { ChevronRight } from 'lucide-react'
import { useId } from 'react'
import { visible } from '@/lib/ansi'
import { relative } from '@/lib/format'
import type { Action } from '@/lib/words'
import { Button, buttonClass } from '@/ui/button'
import { StateChip } from '@/ui/chip'
import { Skeleton } from '@/ui/states'
import { useExplanation } from './actions'
import type { Group, Need } from './need'
import { Reply } from './reply'

interface ItemProps {
  readonly need: Need
  readonly now: number
  readonly isOpen: boolean
  readonly isBusy: boolean
  /** Whether this person may change runs; what was seen is their own. */
  readonly canAct: boolean
  readonly onToggle: () => void
  readonly onDeed: (action: Action) => void
  readonly onSeen: () => void
}

export function Item({ need, now, isOpen, isBusy, canAct, onToggle, onDeed, onSeen }: ItemProps) {
  const { run, word, why, since, group } = need
  const id = useId()
  return (
    <li data-run={run.id} className="border-b border-line-soft">
      <div className={`flex items-start gap-2 py-2 pr-3 pl-2 ${isOpen ? 'bg-raised' : 'hover:bg-hover'}`}>
        <button type="button" aria-expanded={isOpen} aria-controls={isOpen ? id : undefined} aria-label={`Details of run ${run.id}`} onClick={onToggle} className="grid size-6 shrink-0 place-items-center rounded text-muted hover:text-ink">
          <ChevronRight aria-hidden="true" className={`size-4 transition-transform ${isOpen ? 'rotate-90' : ''}`} />
        </button>
        <div className="grid min-w-0 flex-1 gap-x-4 gap-y-0.5 sm:grid-cols-[9rem_minmax(0,1fr)_auto]">
          <span className="flex min-h-6 items-center justify-between gap-2 self-start sm:justify-start"><StateChip word={word} /><Wait since={since} now={now} className="sm:hidden" /></span>
          <span className="min-w-0">
            <Link to="/runs/$id" params={{ id: String(run.id) }} data-focus className="inline-block max-w-full truncate rounded-sm align-top leading-6 font-medium hover:underline">{visible(run.title)}</Link>
            <span className="line-clamp-2 break-words text-muted">{visible(why.slice(0, 400))}</span>
            <span className="mt-0.5 block truncate text-xs text-muted">#{run.id} · {visible(run.project)} · {visible(run.agent ?? run.backend)}{run.attempt > 1 ? ` · attempt ${run.attempt}` : ''}</span>
          </span>
          <span className="mt-1 flex flex-wrap items-start gap-1 sm:mt-0 sm:justify-end">
            <Wait since={since} now={now} className="mr-2 hidden min-h-7 items-center sm:flex" />
            {canAct ? <Deeds group={group} isOpen={isOpen} isBusy={isBusy} onToggle={onToggle} onDeed={onDeed} /> : null}
            {group === 'failed' ? <Button size="small" look="quiet" onClick={onSeen}>Mark as seen</Button> : null}
          </span>
        </div>
      </div>
      {isOpen ? <div id={id} className="bg-raised pr-4 pb-3 pl-10 sm:pl-[12.5rem]"><Details need={need} canAct={canAct} /></div> : null}
    </li>
  )
}

function Deeds({ group, isOpen, isBusy, onToggle, onDeed }: Pick<ItemProps, 'isOpen' | 'isBusy' | 'onToggle' | 'onDeed'> & { readonly group: Group }) {
  if (group === 'failed') return <Button size="small" isBusy={isBusy} onClick={() => onDeed('retry')}>Retry</Button>
  return (
    <>
      {group === 'waiting' && !isOpen ? <Button size="small" onClick={onToggle}>Answer</Button> : null}
      <Button size="small" look="danger" isBusy={isBusy} onClick={() => onDeed('stop')}>Stop</Button>
    </>
  )
}

function Wait({ since, now, className }: { readonly since: number; readonly now: number; readonly className: string }) {
  return <span className={`text-muted ${className}`} title={new Date(since).toISOString()}>{relative(since, now)}</span>
}

function Details({ need: { run, group, why }, canAct }: { readonly need: Need; readonly canAct: boolean }) {
  const found = useExplanation(run.id)
  if (found.isPending) return <Skeleton rows={2} />
  const said = found.data
  const isEnded = group === 'failed'
  const because = said?.because.filter((each) => each !== why) ?? []
  return (
    <div className="max-w-prose space-y-3">
      {found.isError ? <p className="text-bad">{found.error.message}</p> : null}
      {said ? (
        <>
          {isEnded ? null : <p>{visible(said.summary)}</p>}
          {because.length ? <ul className="list-disc space-y-0.5 pl-4 text-muted">{because.map((each, at) => <li key={at} className="break-words">{visible(each)}</li>)}</ul> : null}
          {said.what_to_do ? <p><span className="font-medium">What to do: </span>{visible(said.what_to_do)}</p> : null}
        </>
      ) : null}
      {canAct && group === 'waiting' ? <Reply run={run} /> : null}
      <p className="flex flex-wrap gap-2">
        <Link to="/runs/$id" params={{ id: String(run.id) }} className={buttonClass('plain', 'small')}>Open run</Link>
        {canAct && isEnded ? <Link to="/runs/new" search={{ from: String(run.id) }} className={buttonClass('plain', 'small')}>Run again with edits</Link> : null}
      </p>
    </div>
  )
}
