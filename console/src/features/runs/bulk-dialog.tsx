/** The same for many runs: counts them first, asks, and says what became of each kind. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { actOnRuns, countRuns, NO_TALLY, type Post, queriesFor, type Tally, type Target } from '@/lib/bulk'
import type { Action } from '@/lib/words'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { useAccess } from '../access'

export interface Deed {
  readonly action: Action
  readonly target: Target
}

interface Step {
  readonly kind: 'counting' | 'asking' | 'acting' | 'done' | 'failed'
  readonly count: number
  readonly tally?: Tally
  readonly detail?: string
}

const VERBS: Readonly<Record<Action, string>> = { pause: 'Pause', resume: 'Resume', stop: 'Stop', retry: 'Retry' }
const MEANS: Readonly<Record<Action, string>> = {
  pause: 'Their processes are frozen where they are; those in the queue are held.',
  resume: 'Those that are paused or held go on.',
  stop: 'Every process of them is ended. This cannot be taken back; a retry begins anew.',
  retry: 'Each is made again as a new run with the same request.',
}
const NOBODY: Readonly<Record<Action, string>> = {
  pause: 'None of them runs or waits.', resume: 'None of them is under way.', stop: 'None of them is under way: they have all ended.', retry: 'None of them has ended.',
}

const DONE: Readonly<Record<Action, string>> = { pause: 'paused', resume: 'going on', stop: 'stopped', retry: 'made again' }
const PENDING: Readonly<Record<Action, string>> = { pause: 'pausing now', resume: 'resuming now', stop: 'stopping now', retry: 'being made again' }

const runs = (count: number) => `${count.toLocaleString('en-US')} ${count === 1 ? 'run' : 'runs'}`

export function BulkDialog({ deed, onClose }: { readonly deed: Deed; readonly onClose: () => void }) {
  const { step, act, cancel } = useDeed(deed)
  const verb = VERBS[deed.action]
  const close = () => {
    cancel()
    onClose()
  }
  return (
    <Dialog title={`${verb} runs`} isOpen onClose={close}>
      <p className="text-muted">{MEANS[deed.action]}</p>
      <div className="mt-2 min-h-6" role="status">
        <Said step={step} action={deed.action} picked={'ids' in deed.target ? deed.target.ids.length : null} />
      </div>
      <div className="mt-3 flex justify-end gap-2">
        <Button autoFocus onClick={close}>{step.kind === 'acting' ? 'Stop here' : step.kind === 'done' || step.kind === 'failed' ? 'Close' : 'Cancel'}</Button>
        {step.kind === 'counting' || step.kind === 'asking' || step.kind === 'acting' ? (
          <Button look={deed.action === 'stop' ? 'danger' : 'primary'} isBusy={step.kind !== 'asking'} disabled={step.count === 0} onClick={act}>{verb} {runs(step.count)}</Button>
        ) : null}
      </div>
    </Dialog>
  )
}

function Said({ step, action, picked }: { readonly step: Step; readonly action: Action; readonly picked: number | null }) {
  if (step.kind === 'counting') return <p>Counting… {step.count > 0 ? `${runs(step.count)} so far` : ''}</p>
  if (step.kind === 'asking') return <p>{step.count === 0 ? NOBODY[action] : picked === null || step.count === picked ? null : `${step.count} of the ${runs(picked)} selected: the others are not where that means anything.`}</p>
  const { tally = NO_TALLY } = step
  const seen = tally.done + tally.pending + tally.refused
  return (
    <>
      {step.kind === 'acting' ? <progress className="h-2 w-full accent-accent" aria-label="Progress" max={step.count} value={seen} /> : null}
      {step.kind === 'failed' ? <p className="text-bad">{step.detail} {seen > 0 ? `${runs(seen)} were reached before.` : 'Nothing was done.'}</p> : null}
      <ul>
        {tally.done > 0 ? <li>{runs(tally.done)}: {DONE[action]}</li> : null}
        {tally.pending > 0 ? <li>{runs(tally.pending)}: {PENDING[action]}</li> : null}
        {[...tally.refusals].slice(0, 5).map(([why, count]) => <li key={why} className="text-attention">{runs(count)}: {why}</li>)}
      </ul>
    </>
  )
}

function useDeed({ action, target }: Deed): { step: Step; act: () => void; cancel: () => void } {
  const { client } = useAccess()
  const queries = useQueryClient()
  const [step, setStep] = useState<Step>({ kind: 'counting', count: 0 })
  const running = useRef<AbortController | null>(null)
  const post: Post = async (body, signal) => {
    const { data } = await client.POST('/v1/runs/bulk', { body: { all: false, preview: false, limit: 1000, cursor: null, ...body }, signal })
    return data ?? { items: [], next_cursor: null }
  }
  useEffect(() => {
    const controller = (running.current = new AbortController())
    const tell = (next: Step) => { if (!controller.signal.aborted) setStep(next) }
    countRuns(post, queriesFor(target, action), action, controller.signal, (count) => tell({ kind: 'counting', count })).then(
      (count) => tell({ kind: 'asking', count }),
      (error: unknown) => tell({ kind: 'failed', count: 0, tally: NO_TALLY, detail: worded(error) }),
    )
    return () => controller.abort()
    // Counted once: the dialog is made anew for every deed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [])
  const act = () => {
    const controller = (running.current = new AbortController())
    const { count } = step
    let last = NO_TALLY
    const tell = (next: Step) => { if (!controller.signal.aborted) setStep(next) }
    const onTally = (tally: Tally) => tell({ kind: 'acting', count, tally: (last = tally) })
    onTally(NO_TALLY)
    actOnRuns(post, queriesFor(target, action), action, controller.signal, onTally)
      .then((tally) => tell({ kind: 'done', count, tally }), (error: unknown) => tell({ kind: 'failed', count, tally: last, detail: worded(error) }))
      .finally(() => void queries.invalidateQueries({ queryKey: ['runs'] }, { cancelRefetch: false }))
  }
  return { step, act, cancel: () => running.current?.abort() }
}

function worded(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.'
}
