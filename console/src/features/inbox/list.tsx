/** The needs in groups, moved through by key, each with what can be done about it. */
import { useEffect, useRef, useState } from 'react'
import type { Action } from '@/lib/words'
import { useCommands } from '@/ui/commands'
import { Confirm } from '@/ui/dialog'
import { useConfig } from '../access'
import { useDeed } from './actions'
import { Item } from './item'
import { ItemKeys } from './item-keys'
import type { Group, Need } from './need'

const GROUPS: Readonly<Record<Group, readonly [title: string, meaning: string]>> = {
  waiting: ['Waits for you', 'An agent asks and does nothing until somebody answers.'],
  trouble: ['In trouble', 'What these runs do is not known, or they have shown nothing for a while.'],
  failed: ['Failed', 'Runs of the last seven days that nobody here has seen.'],
}
const ORDER: readonly Group[] = ['waiting', 'trouble', 'failed']

interface ListProps {
  readonly needs: readonly Need[]
  readonly now: number
  readonly onSeen: (id: number) => void
}

export function NeedList({ needs, now, onSeen }: ListProps) {
  const list = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState<number | null>(null)
  const [stopping, setStopping] = useState<number | null>(null)
  const canAct = useConfig().scope === 'admin'
  const deed = useDeed(({ id, action }) => { if (action === 'retry') onSeen(id) })
  const act = (id: number, action: Action) => {
    if (!canAct) return
    if (action === 'stop') setStopping(id)
    else deed.mutate({ id, action })
  }
  const toggle = (id: number) => setOpen(open === id ? null : id)
  const [keys] = useState(() => new ItemKeys())
  useEffect(() => keys.tell(list.current && { root: list.current, needs, toggle, act, onSeen }))
  useCommands(keys.commands)
  return (
    <div ref={list}>
      {ORDER.map((group) => {
        const some = needs.filter((each) => each.group === group)
        return some.length === 0 ? null : (
          <section key={group} aria-labelledby={`inbox-${group}`}>
            <div className="flex flex-wrap items-baseline gap-x-2 border-b border-line-soft px-4 pt-4 pb-1.5">
              <h2 id={`inbox-${group}`} className="font-semibold">{GROUPS[group][0]} <span className="font-normal text-muted">{some.length}</span></h2>
              <p className="text-xs text-muted">{GROUPS[group][1]}</p>
            </div>
            <ul>
              {some.map((need) => (
                <Item
                  key={need.run.id} need={need} now={now} canAct={canAct} isOpen={open === need.run.id} isBusy={deed.isPending && deed.variables.id === need.run.id}
                  onToggle={() => toggle(need.run.id)} onDeed={(action) => act(need.run.id, action)} onSeen={() => onSeen(need.run.id)}
                />
              ))}
            </ul>
          </section>
        )
      })}
      <Confirm
        title={`Stop run ${stopping ?? ''}?`} action="Stop run" isOpen={stopping !== null} onClose={() => setStopping(null)}
        onConfirm={() => { if (stopping !== null) deed.mutate({ id: stopping, action: 'stop' }); setStopping(null) }}
      >
        Its program and everything that it started is ended. This cannot be undone.
      </Confirm>
    </div>
  )
}
