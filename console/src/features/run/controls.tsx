/** What a person may do with the run: each wish once, refused while offline, and shown as a wish until it is a fact. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Pause, Pencil, Play, RotateCcw, Send, Square } from 'lucide-react'
import { useMemo, useState } from 'react'
import { useAccess, useMayAct } from '@/features/access'
import { newKey } from '@/lib/http'
import type { RunWatch } from '@/lib/run-watch'
import { type Action, actions, type Run } from '@/lib/words'
import { Button } from '@/ui/button'
import { useCommands } from '@/ui/commands'
import { Confirm, Dialog } from '@/ui/dialog'
import { useToast } from '@/ui/toast'

interface Looks {
  readonly label: string
  readonly icon: typeof Pause
  readonly doing: Run['desired'] | null
}

const ACTIONS: Readonly<Record<Action, Looks>> = {
  pause: { label: 'Pause', icon: Pause, doing: 'pause' },
  resume: { label: 'Resume', icon: Play, doing: 'run' },
  stop: { label: 'Stop', icon: Square, doing: 'stop' },
  retry: { label: 'Retry', icon: RotateCcw, doing: null },
}

export interface Wishing {
  readonly wish: (action: Action) => void
  readonly isBusy: (action: Action) => boolean
  /** The run as it will be once the wish that is under way is taken. */
  readonly shown: Run
}

export function useWishes(watch: RunWatch, run: Run): Wishing {
  const { client } = useAccess()
  const say = useToast()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const sent = useMutation({
    // Offline it fails at once rather than wait and be done when nobody expects it any more.
    networkMode: 'always',
    mutationFn: async (action: Action) => {
      const path = { run_id: run.id }
      if (action === 'retry') return (await client.POST('/v1/runs/{run_id}/retry', { params: { path, header: { 'Idempotency-Key': newKey() } } })).data ?? null
      return (await client.POST(`/v1/runs/{run_id}/${action}`, { params: { path } })).data ?? null
    },
    onSuccess: (answer, action) => {
      if (action !== 'retry' && answer) watch.learn(answer)
      watch.refresh()
      void queries.invalidateQueries({ queryKey: ['explain', run.id] })
      if (action === 'retry' && answer) {
        say(`Run ${answer.id} is a retry of run ${run.id}.`)
        void navigate({ to: '/runs/$id', params: { id: String(answer.id) } })
      }
    },
    onError: (error) => say(error.message, true),
  })
  const doing = sent.isPending ? ACTIONS[sent.variables].doing : null
  return { wish: sent.mutate, isBusy: (action) => sent.isPending && sent.variables === action, shown: doing === null ? run : { ...run, desired: doing } }
}

export function Controls({ run, wishing }: { readonly run: Run; readonly wishing: Wishing }) {
  const navigate = useNavigate()
  const [isStopping, setStopping] = useState(false)
  const [isWriting, setWriting] = useState(false)
  const { wish, isBusy } = wishing
  const mayAct = useMayAct()
  // What another program runs, and what one may only look at, is not ours to act on.
  const isLookedAt = run.backend === 'external' || !mayAct
  const can = useMemo(() => (isLookedAt ? [] : actions({ status: run.status, hold: run.hold, desired: run.desired })), [isLookedAt, run.status, run.hold, run.desired])
  // Only a program that was given a pipe reads what is sent.
  const canWrite = !isLookedAt && run.options['stdin'] === 'pipe' && (run.status === 'RUNNING' || run.status === 'PAUSED') && run.desired !== 'stop'
  useCommands(useMemo(() => {
    const toggle = can.find((each) => each === 'pause' || each === 'resume')
    return [
      ...(toggle ? [{ id: 'run.pause', title: `${ACTIONS[toggle].label} this run`, keys: 'p', hint: ACTIONS[toggle].label, group: 'Run', run: () => wish(toggle) }] : []),
      ...(can.includes('stop') ? [{ id: 'run.stop', title: 'Stop this run', keys: 's', hint: 'Stop', group: 'Run', run: () => setStopping(true) }] : []),
      ...(can.includes('retry') ? [{ id: 'run.retry', title: 'Retry this run', keys: 'r', hint: 'Retry', group: 'Run', run: () => wish('retry') }] : []),
      ...(canWrite ? [{ id: 'run.message', title: 'Send a message to the agent', keys: 'm', hint: 'Message', group: 'Run', run: () => setWriting(true) }] : []),
      ...(isLookedAt ? [] : [{ id: 'run.edit', title: 'Re-run with edits', group: 'Run', run: () => void navigate({ to: '/runs/new', search: { from: String(run.id) } }) }]),
    ]
  }, [can, canWrite, isLookedAt, wish, navigate, run.id]))
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      {canWrite ? <Button onClick={() => setWriting(true)}><Send aria-hidden="true" className="size-3.5" /><Wide>Message</Wide></Button> : null}
      {isLookedAt ? null : <Button onClick={() => void navigate({ to: '/runs/new', search: { from: String(run.id) } })}><Pencil aria-hidden="true" className="size-3.5" /><Wide>Edit and re-run</Wide></Button>}
      {can.map((action) => {
        const { label, icon: Icon } = ACTIONS[action]
        return (
          <Button key={action} look={action === 'stop' ? 'danger' : 'plain'} className={action === 'stop' ? 'ml-1.5' : ''} isBusy={isBusy(action)} onClick={() => (action === 'stop' ? setStopping(true) : wish(action))}>
            <Icon aria-hidden="true" className="size-3.5" />{label}
          </Button>
        )
      })}
      <Confirm title={`Stop run ${run.id}?`} isOpen={isStopping} action="Stop run" onClose={() => setStopping(false)} onConfirm={() => { setStopping(false); wish('stop') }}>
        Its program and every process of it are interrupted, then ended. What it wrote is kept. A stopped run cannot go on; it can be retried as a new one.
      </Confirm>
      <Dialog title="Message to the agent" isOpen={isWriting} onClose={() => setWriting(false)}><MessageForm run={run} onDone={() => setWriting(false)} /></Dialog>
    </div>
  )
}

/** Words that a narrow screen has no room for; a screen reader says them all the same. */
function Wide({ children }: { readonly children: string }) {
  return <span className="sr-only sm:not-sr-only">{children}</span>
}

function MessageForm({ run, onDone }: { readonly run: Run; readonly onDone: () => void }) {
  const { client } = useAccess()
  const say = useToast()
  const [text, setText] = useState('')
  // One key for one text, so that a second try after a lost answer is not a second message.
  const key = useMemo(() => ({ text, value: newKey() }), [text])
  const sent = useMutation({
    networkMode: 'always',
    mutationFn: () => client.POST('/v1/runs/{run_id}/inputs', { params: { path: { run_id: run.id }, header: { 'Idempotency-Key': key.value } }, body: { text } }),
    onSuccess: () => { say('Sent to the agent.'); onDone() },
  })
  const send = () => { if (text.trim() && !sent.isPending) sent.mutate() }
  return (
    <form onSubmit={(event) => { event.preventDefault(); send() }}>
      <label className="block font-medium" htmlFor="message-text">Text</label>
      <p id="message-hint" className="text-muted">It reaches the agent once. {run.status === 'PAUSED' ? 'The run is paused: the agent reads it when it goes on.' : 'The timeline says when it is delivered.'}</p>
      <textarea
        id="message-text" autoFocus rows={5} aria-describedby="message-hint" className="field mt-2 w-full resize-y" value={text} onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send() } }}
      />
      {sent.error ? <p role="alert" className="mt-1 text-bad">{sent.error.message}</p> : null}
      <div className="mt-3 flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="primary" isBusy={sent.isPending} disabled={!text.trim()}>Send</Button>
      </div>
    </form>
  )
}
