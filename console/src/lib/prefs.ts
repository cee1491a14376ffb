/** What a person prefers, kept in this browser; one that keeps nothing still works until it is reloaded. */

/** The part of `Storage` that is used. */
export type Keeper = Pick<Storage, 'getItem' | 'setItem'>

const PREFIX = 'agentrunner.'

/** One preference: read once, kept on every change, heard by whoever shows it. `accept` refuses what it does not know. */
export class Pref<T> {
  #value: T
  #listeners = new Set<() => void>()

  constructor(
    readonly name: string,
    readonly initial: T,
    private readonly accept: (found: unknown) => T | undefined,
    private readonly keeper: Keeper | null = browserKeeper(),
  ) {
    this.#value = this.#read() ?? initial
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    this.#value = value
    tried(() => this.keeper?.setItem(PREFIX + this.name, typeof value === 'string' ? value : JSON.stringify(value)))
    for (const each of this.#listeners) each()
  }

  listen(heard: () => void): () => void {
    this.#listeners.add(heard)
    return () => void this.#listeners.delete(heard)
  }

  #read(): T | undefined {
    const text = tried(() => this.keeper?.getItem(PREFIX + this.name) ?? null)
    if (text === null) return undefined
    return this.accept(typeof this.initial === 'string' ? text : tried(() => JSON.parse(text) as unknown))
  }
}

// The getter itself raises in a browser that keeps nothing.
function browserKeeper(): Keeper | null {
  return tried(() => (typeof localStorage === 'undefined' ? null : localStorage))
}

function tried<T>(touch: () => T): T | null {
  try {
    return touch()
  } catch {
    return null
  }
}

/** Accepts one of some words. */
export function oneOf<const T extends string>(...words: readonly T[]): (found: unknown) => T | undefined {
  return (found) => words.find((each) => each === found)
}

/** Accepts true and false. */
export function truth(found: unknown): boolean | undefined {
  return typeof found === 'boolean' ? found : undefined
}

/** Accepts a list of words. */
export function wordList(found: unknown): readonly string[] | undefined {
  return Array.isArray(found) && found.every((each) => typeof each === 'string') ? found : undefined
}
