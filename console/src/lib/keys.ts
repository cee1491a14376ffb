/** Keyboard commands: one registry that the listener, the shortcut bar, the help and the palette read. */

/**
 * What a person can do by key, palette or button. `keys`: `j`, `Shift+x`, `Mod+k`, or a sequence such as `g r`.
 *
 * `hint` is one word for the shortcut bar, where it stands only if there is one; `group` is its heading in the help.
 */
export interface Command {
  readonly id: string
  readonly title: string
  readonly keys?: string
  readonly hint?: string
  readonly group?: string
  readonly isEnabled?: () => boolean
  readonly run: () => void
}

/** The part of a `KeyboardEvent` that is read. */
export interface Key {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
  readonly shiftKey: boolean
}

export const SEQUENCE_MS = 1000

/** The commands of what is shown now; the last one registered for a key is meant. */
export class Commands {
  #areLettersOn = true
  #commands: readonly Command[] = []
  #listeners = new Set<() => void>()
  #begun: { text: string; at: number } | null = null

  /** The same array until something changes, for `useSyncExternalStore`. */
  get all(): readonly Command[] {
    return this.#commands
  }

  /** Whether single characters count (WCAG 2.1.4). */
  turnLetters(areOn: boolean): void {
    this.#areLettersOn = areOn
  }

  /** Add commands until the answer is called. */
  add(commands: readonly Command[]): () => void {
    this.#set([...this.#commands, ...commands])
    return () => this.#set(this.#commands.filter((each) => !commands.includes(each)))
  }

  listen(heard: () => void): () => void {
    this.#listeners.add(heard)
    return () => void this.#listeners.delete(heard)
  }

  /** Do what a key asks for; true where it was taken. In a field only what needs a modifier counts. */
  press(key: Key, isInField: boolean, now: number): boolean {
    const text = written(key)
    const isPlain = !text.startsWith('Mod+')
    if (key.altKey || (isPlain && (isInField || (!this.#areLettersOn && key.key.length === 1)))) return false
    const begun = this.#begun && now - this.#begun.at <= SEQUENCE_MS ? `${this.#begun.text} ${text}` : null
    this.#begun = null
    const found = (begun === null ? undefined : this.#find(begun)) ?? this.#find(text)
    if (found) {
      found.run()
      return true
    }
    if (!this.#commands.some((each) => each.keys?.startsWith(`${text} `))) return false
    this.#begun = { text, at: now }
    return true
  }

  #find(keys: string): Command | undefined {
    return this.#commands.findLast((each) => each.keys === keys && (each.isEnabled?.() ?? true))
  }

  #set(commands: readonly Command[]): void {
    this.#commands = commands
    for (const each of this.#listeners) each()
  }
}

/** `keys` as its caps: `Mod+k` is `Ctrl K`, or `⌘ K` where that is the modifier; `g r` is two caps, one behind the other. */
export function caps(keys: string, isApple: boolean): string[] {
  const names: Readonly<Record<string, string>> = {
    Mod: isApple ? '⌘' : 'Ctrl', Shift: isApple ? '⇧' : 'Shift', Enter: '↵', Escape: 'Esc',
    ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→',
  }
  return keys.split(/[ +]/).map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
}

function written({ key, ctrlKey, metaKey, shiftKey }: Key): string {
  const isLetter = key.length === 1 && key.toLowerCase() !== key.toUpperCase()
  const name = isLetter ? key.toLowerCase() : key
  // Shift is part of what `?` or `G` is on some keyboards, and said only where the character does not.
  const shift = shiftKey && (isLetter || key.length > 1) ? 'Shift+' : ''
  return `${ctrlKey || metaKey ? 'Mod+' : ''}${shift}${name}`
}

/** Commands that match what was typed, best first: letters in order, those that begin a word before others. */
export function matching(commands: readonly Command[], typed: string): Command[] {
  const wanted = typed.toLowerCase().replace(/\s+/g, '')
  const scored = commands.map((command) => ({ command, score: score(command.title.toLowerCase(), wanted) }))
  return scored.filter((each) => each.score > 0).sort((a, b) => b.score - a.score).map((each) => each.command)
}

function score(title: string, wanted: string): number {
  let [total, at, run] = [1, 0, 0]
  for (const letter of wanted) {
    const found = title.indexOf(letter, at)
    if (found < 0) return 0
    run = found === at ? run + 1 : 1
    total += run + (found === 0 || title[found - 1] === ' ' ? 3 : 0) - Math.min(found - at, 9) / 10
    at = found + 1
  }
  return total
}
