/** What the keys do on the list of runs. */
import { type RefObject, useEffect, useMemo, useState } from 'react'
import type { Command } from '@/lib/keys'
import { type Action, actions, type Run } from '@/lib/words'
import { useCommands } from '@/ui/commands'
import { useCopy } from '@/ui/copy'
import type { Selection } from './selection'
import { timeStyle } from './columns'

export interface Doing {
  readonly rows: readonly Run[]
  readonly active: Run | undefined
  readonly mayAct: boolean
  readonly selection: Selection
  readonly grid: RefObject<HTMLDivElement | null>
  readonly search: RefObject<HTMLInputElement | null>
  readonly onActive: (id: number) => void
  readonly onOpen: (id: number) => void
  readonly onAct: (action: Action) => void
}

/** The same commands as long as the page is shown: they read what is so when they are done. */
export function useRunsCommands(doing: Doing): void {
  const copy = useCopy()
  const [latest] = useState(() => new Latest({ ...doing, copy }))
  useEffect(() => latest.set({ ...doing, copy }))
  useCommands(useMemo(() => commands(() => latest.get()), [latest]))
}

type Held = Doing & { readonly copy: ReturnType<typeof useCopy> }
type Now = () => Held

class Latest {
  constructor(private held: Held) {}

  get(): Held {
    return this.held
  }

  set(held: Held): void {
    this.held = held
  }
}

function commands(now: Now): Command[] {
  const isInGrid = () => document.activeElement === now().grid.current
  const move = (by: number) => {
    const { rows, active, grid, onActive } = now()
    const at = active ? rows.indexOf(active) : -1
    const run = rows[Math.min(Math.max(at < 0 ? 0 : at + by, 0), rows.length - 1)]
    grid.current?.focus({ preventScroll: true })
    if (run) onActive(run.id)
  }
  const pick = (isRange: boolean) => {
    const { active, selection } = now()
    if (active) selection.pick(active.id, isRange)
  }
  const hasTarget = () => now().active !== undefined || now().selection.ids.size > 0
  const can = (action: Action) => {
    const { active, selection, mayAct } = now()
    return mayAct && (selection.ids.size > 0 || (active !== undefined && actions(active).includes(action)))
  }
  const isPaused = () => can('resume') && !can('pause')
  return [
    { id: 'search', title: 'Search', keys: '/', hint: 'Search', run: () => now().search.current?.focus() },
    { id: 'next', title: 'Next run', keys: 'j', hint: 'Next', run: () => move(1) },
    { id: 'previous', title: 'Previous run', keys: 'k', hint: 'Previous', run: () => move(-1) },
    { id: 'down', title: 'Next run', keys: 'ArrowDown', isEnabled: isInGrid, run: () => move(1) },
    { id: 'up', title: 'Previous run', keys: 'ArrowUp', isEnabled: isInGrid, run: () => move(-1) },
    { id: 'first', title: 'First run', keys: 'g g', run: () => move(-Infinity) },
    { id: 'home', title: 'First run', keys: 'Home', isEnabled: isInGrid, run: () => move(-Infinity) },
    { id: 'last', title: 'Last run', keys: 'Shift+g', run: () => move(Infinity) },
    { id: 'end', title: 'Last run', keys: 'End', isEnabled: isInGrid, run: () => move(Infinity) },
    { id: 'open', title: 'Open run', keys: 'Enter', hint: 'Open', isEnabled: isInGrid, run: () => { const { active, onOpen } = now(); if (active) onOpen(active.id) } },
    { id: 'select', title: 'Select run', keys: 'x', hint: 'Select', run: () => pick(false) },
    { id: 'range', title: 'Select up to here', keys: 'Shift+x', run: () => pick(true) },
    { id: 'clear', title: 'Clear the selection', keys: 'Escape', isEnabled: () => now().selection.ids.size > 0, run: () => now().selection.clear() },
    { id: 'pause', title: 'Pause or resume', keys: 'p', hint: 'Pause', isEnabled: () => can('pause') || can('resume'), run: () => now().onAct(isPaused() ? 'resume' : 'pause') },
    { id: 'stop', title: 'Stop…', keys: 's', hint: 'Stop', isEnabled: () => can('stop'), run: () => now().onAct('stop') },
    { id: 'retry', title: 'Retry', keys: 'r', hint: 'Retry', isEnabled: () => can('retry'), run: () => now().onAct('retry') },
    { id: 'copy', title: 'Copy as JSON', keys: 'y', hint: 'Copy', isEnabled: hasTarget, run: () => copyRuns(now) },
    { id: 'copy-link', title: 'Copy link', keys: 'Shift+y', isEnabled: hasTarget, run: () => copyLinks(now) },
    { id: 'times', title: 'Times by the clock or as ago', keys: 't', run: () => timeStyle.set(timeStyle.value === 'relative' ? 'absolute' : 'relative') },
  ]
}

function meant({ rows, active, selection }: Doing): readonly Run[] {
  if (selection.ids.size > 0) return rows.filter((run) => selection.ids.has(run.id))
  return active ? [active] : []
}

function copyRuns(now: Now): void {
  const runs = meant(now())
  void now().copy(JSON.stringify(runs.length === 1 ? runs[0] : runs, null, 2), runs.length === 1 ? 'The run is copied as JSON.' : `${runs.length} runs are copied as JSON.`)
}

function copyLinks(now: Now): void {
  const links = meant(now()).map((run) => `${location.origin}${import.meta.env.BASE_URL}runs/${run.id}`)
  void now().copy(links.join('\n'), links.length === 1 ? 'The link is copied.' : `${links.length} links are copied.`)
}
