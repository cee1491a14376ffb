/** The command palette: type, choose with the arrows, do with Enter. */
import { useEffect, useId, useRef, useState } from 'react'
import { type Command, matching } from '@/lib/keys'
import { KeyCaps } from './keycaps'

const MOST = 50

interface PaletteProps {
  readonly commands: readonly Command[]
  readonly offer?: (typed: string) => readonly Command[]
  readonly onDone: () => void
}

export function Palette({ commands, offer, onDone }: PaletteProps) {
  const [typed, setTyped] = useState('')
  const [chosen, setChosen] = useState(0)
  const id = useId()
  const list = useRef<HTMLUListElement>(null)
  const found = [...(offer?.(typed.trim()) ?? []), ...matching(commands, typed)].slice(0, MOST)
  useEffect(() => {
    // Some browsers answer with a promise, which is no clean-up.
    void list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  const run = (command: Command | undefined) => {
    if (!command) return
    onDone()
    command.run()
  }
  const press = (key: string): boolean => {
    if (key === 'Enter') run(found[chosen])
    else if (key === 'ArrowDown') setChosen(Math.min(chosen + 1, found.length - 1))
    else if (key === 'ArrowUp') setChosen(Math.max(chosen - 1, 0))
    else return false
    return true
  }
  return (
    <>
      <input
        autoFocus role="combobox" aria-label="Search commands" aria-expanded="true" aria-controls={id} aria-activedescendant={found[chosen] ? `${id}-${chosen}` : undefined}
        autoComplete="off" spellCheck={false} placeholder="A command, a run's number, or words to search runs for"
        className="field w-full" value={typed}
        onChange={(event) => { setTyped(event.target.value); setChosen(0) }}
        onKeyDown={(event) => { if (press(event.key)) event.preventDefault() }}
      />
      <ul ref={list} id={id} role="listbox" aria-label="Commands" className="mt-2 max-h-80 overflow-auto">
        {found.map((command, at) => (
          <li key={command.id} id={`${id}-${at}`} role="option" aria-selected={at === chosen} onClick={() => run(command)} onMouseMove={() => setChosen(at)} className={`flex min-h-8 cursor-pointer items-center justify-between gap-3 rounded-md px-2 ${at === chosen ? 'bg-selected' : ''}`}>
            <span className="min-w-0 truncate">{command.title}</span>
            {command.keys ? <KeyCaps keys={command.keys} /> : null}
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p role="status" className="p-2 text-muted">No command matches.</p> : null}
    </>
  )
}
