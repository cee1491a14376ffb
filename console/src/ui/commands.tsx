/** Commands by key, palette, help and shortcut bar, from one registry. */
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { type Command, Commands } from '@/lib/keys'
import { Dialog } from './dialog'
import { Help } from './help'
import { KeyCaps } from './keycaps'
import { Palette } from './palette'
import { letters, usePref } from './pref'

const Registry = createContext(new Commands())
const FIELDS = 'input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable=true]'
const OWN = ['palette', 'help']

interface CommandKeysProps {
  readonly children: ReactNode
  /** Commands made from what was typed into the palette, such as "open run 12". */
  readonly offer?: (typed: string) => readonly Command[]
}

/** Listens to the keyboard for everything inside; Mod+K opens the palette, `?` the help. */
export function CommandKeys({ children, offer }: CommandKeysProps) {
  const [commands] = useState(() => new Commands())
  const [shown, setShown] = useState<'palette' | 'help' | null>(null)
  const [areLettersOn] = usePref(letters)
  useEffect(() => commands.turnLetters(areLettersOn), [commands, areLettersOn])
  useEffect(() => commands.add([
    { id: 'palette', title: 'Command palette', keys: 'Mod+k', hint: 'Commands', group: 'Anywhere', run: () => setShown('palette') },
    { id: 'help', title: 'Keyboard shortcuts', keys: '?', hint: 'Help', group: 'Anywhere', run: () => setShown('help') },
  ]), [commands])
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isInField = event.target instanceof Element && event.target.closest(FIELDS) !== null
      const isModal = document.querySelector('dialog[open]') !== null
      if (!event.defaultPrevented && !event.isComposing && !isModal && commands.press(event, isInField, event.timeStamp)) event.preventDefault()
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [commands])
  const close = () => setShown(null)
  return (
    <Registry value={commands}>
      {children}
      <Dialog title="Commands" isOpen={shown === 'palette'} onClose={close}><PaletteOf offer={offer} onDone={close} /></Dialog>
      <Dialog title="Keyboard shortcuts" isOpen={shown === 'help'} onClose={close} size="wide"><HelpOf /></Dialog>
    </Registry>
  )
}

/** Offer commands while the caller is shown; `commands` has to keep its identity between renders. */
export function useCommands(commands: readonly Command[]): void {
  const registry = useContext(Registry)
  useEffect(() => registry.add(commands), [registry, commands])
}

/** Do a command by its id, for a button that means the same. */
export function useRunCommand(): (id: string) => void {
  const registry = useContext(Registry)
  return (id) => registry.all.findLast((each) => each.id === id)?.run()
}

function useAll(): readonly Command[] {
  const registry = useContext(Registry)
  return useSyncExternalStore((heard) => registry.listen(heard), () => registry.all)
}

function PaletteOf({ offer, onDone }: { readonly offer: CommandKeysProps['offer']; readonly onDone: () => void }) {
  const offered = useAll().filter((each) => !OWN.includes(each.id) && (each.isEnabled?.() ?? true))
  return <Palette commands={offered} onDone={onDone} {...(offer ? { offer } : {})} />
}

function HelpOf() {
  return <Help commands={useAll()} />
}

// The page's own first, those of the console itself last.
const rank = (each: Command) => (OWN.includes(each.id) ? 2 : each.group === undefined ? 0 : 1)

/** What can be done here by key, always in sight at the bottom; each is a button too. */
export function ShortcutBar() {
  const all = useAll()
  const [areLettersOn] = usePref(letters)
  const shown = new Map(all.filter((each) => each.hint && each.keys && (areLettersOn || each.keys.includes('Mod+'))).map((each) => [each.keys, each]))
  const commands = [...shown.values()].sort((a, b) => rank(a) - rank(b))
  return (
    <div role="toolbar" aria-label="Shortcuts" className="hidden h-8 shrink-0 items-center gap-0.5 overflow-hidden border-t border-line bg-raised px-2 md:flex">
      {commands.map((each) => (
        <button key={each.id} type="button" title={each.title} onClick={() => each.run()} className="flex h-6 shrink-0 items-center gap-1.5 rounded px-1.5 text-xs text-muted hover:bg-hover hover:text-ink">
          {each.keys ? <KeyCaps keys={each.keys} /> : null}{each.hint}
        </button>
      ))}
    </div>
  )
}
