/** The keys of a run's page; what is done by each is looked up when it is pressed. */
import { useEffect, useMemo, useState } from 'react'
import type { Command } from '@/lib/keys'
import { useCommands } from '@/ui/commands'

export interface RunKeys {
  readonly choose: (tab: number) => void
  readonly move: (by: number) => void
  readonly start: () => void
  readonly end: () => void
  readonly follow: () => void
  readonly hit: (isForward: boolean) => void
  readonly problem: (isForward: boolean) => void
  readonly neighbour: (by: number) => void
  readonly copyPayload: () => void
  readonly copyLink: () => void
  readonly wrap: () => void
  readonly times: () => void
  readonly search: () => void
  readonly back: () => void
}

export function useRunKeys(keys: RunKeys, tabs: readonly string[]): void {
  const [latest] = useState(() => new Latest(keys))
  useEffect(() => latest.set(keys))
  useCommands(useMemo(() => commands((press) => latest.do(press), tabs), [latest, tabs]))
}

/** What the keys mean now: commands keep their identity, since whoever lists them would draw anew with every event. */
class Latest {
  constructor(private keys: RunKeys) {}

  set(keys: RunKeys): void {
    this.keys = keys
  }

  do(press: (keys: RunKeys) => void): void {
    press(this.keys)
  }
}

function commands(on: (press: (keys: RunKeys) => void) => void, tabs: readonly string[]): Command[] {
  const group = 'Run'
  const make = (id: string, title: string, keys: string, press: (each: RunKeys) => void, hint?: string): Command => ({ id: `run.${id}`, title, keys, group, run: () => on(press), ...(hint ? { hint } : {}) })
  return [
    ...tabs.map((tab, at) => make(`tab.${tab}`, `Show ${tab}`, String(at + 1), (each) => each.choose(at))),
    make('search', 'Search in this run', '/', (each) => each.search(), 'Search'),
    make('next', 'Next row', 'j', (each) => each.move(1), 'Next'),
    make('previous', 'Row before', 'k', (each) => each.move(-1)),
    make('follow', 'Follow the live end, or stop', 'f', (each) => each.follow(), 'Follow'),
    make('end', 'To the end', 'Shift+g', (each) => each.end(), 'End'),
    make('start', 'To the start', 'g g', (each) => each.start()),
    make('hit', 'Next hit', 'n', (each) => each.hit(true)),
    make('hit.before', 'Hit before', 'Shift+n', (each) => each.hit(false)),
    make('problem', 'Next problem', 'e', (each) => each.problem(true), 'Problem'),
    make('problem.before', 'Problem before', 'Shift+e', (each) => each.problem(false)),
    make('newer', 'Next run', ']', (each) => each.neighbour(1)),
    make('older', 'Run before', '[', (each) => each.neighbour(-1)),
    make('copy', 'Copy the payload of the chosen event', 'y', (each) => each.copyPayload(), 'Copy'),
    make('link', 'Copy a link to the chosen event', 'Shift+y', (each) => each.copyLink()),
    make('wrap', 'Wrap long lines, or not', 'w', (each) => each.wrap(), 'Wrap'),
    make('times', 'Times from the start, or by the clock', 't', (each) => each.times(), 'Times'),
    make('back', 'Close the inspector, or back to the runs', 'Escape', (each) => each.back(), 'Back'),
  ]
}
