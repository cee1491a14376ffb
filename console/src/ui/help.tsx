/** Every shortcut of what is shown now, by group, and the switch for single letters. */
import type { Command } from '@/lib/keys'
import { KeyCaps } from './keycaps'
import { letters, usePref } from './pref'

const FIRST = 'This page'

export function Help({ commands }: { readonly commands: readonly Command[] }) {
  const [areLettersOn, setLettersOn] = usePref(letters)
  const groups = grouped(commands)
  return (
    <>
      <label className="flex min-h-8 items-center gap-2">
        <input type="checkbox" className="size-4 accent-accent" checked={areLettersOn} onChange={(event) => setLettersOn(event.target.checked)} />
        Single letters are shortcuts
      </label>
      <p className="mb-4 text-muted">Off, only shortcuts with Ctrl or ⌘ and named keys count, as speech control needs it. Everything stays in the command palette.</p>
      <div className="gap-8 sm:columns-2">
        {groups.map(([name, lines]) => (
          <section key={name} className="mb-4 break-inside-avoid">
            <h3 className="mb-1 text-xs font-semibold text-muted">{name}</h3>
            <dl>
              {lines.map(([title, keys]) => (
                <div key={title} className="flex min-h-7 items-center justify-between gap-4 border-b border-line-soft">
                  <dt>{title}</dt>
                  <dd className="flex gap-2">{keys.map((each) => <KeyCaps key={each} keys={each} />)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </>
  )
}

type Lines = [title: string, keys: string[]][]

/** By group, and those with one title in one line: they are several keys for the same. */
function grouped(commands: readonly Command[]): [string, Lines][] {
  const groups = new Map<string, Map<string, string[]>>([[FIRST, new Map()]])
  for (const { keys, title, group = FIRST } of commands) {
    if (!keys) continue
    const lines = groups.get(group) ?? new Map<string, string[]>()
    groups.set(group, lines.set(title, [...new Set([...(lines.get(title) ?? []), keys])]))
  }
  return [...groups].filter(([, lines]) => lines.size > 0).map(([name, lines]) => [name, [...lines]])
}
