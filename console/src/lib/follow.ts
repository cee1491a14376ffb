/** Whether a list follows its live end: what a person does decides, never what the program scrolls. */

/** How near to the end counts as there. */
export const NEAR_PX = 32

/** Something that bears on following; `away` is whatever shows that one wants to read: wheel up, a drag, a key, a choice. */
export type Touch =
  | { readonly kind: 'away' | 'end' }
  | { readonly kind: 'scrolled'; readonly before: number; readonly top: number; readonly fromEnd: number; readonly isOurs: boolean }

/** Whether the list follows after `touch`. */
export function follows(isFollowing: boolean, touch: Touch): boolean {
  if (touch.kind !== 'scrolled') return touch.kind === 'end'
  if (touch.isOurs) return isFollowing
  if (touch.top < touch.before) return false
  return touch.top > touch.before && touch.fromEnd <= NEAR_PX ? true : isFollowing
}

const AWAY: ReadonlySet<string> = new Set(['ArrowUp', 'PageUp', 'Home'])

/** What a key in a list means to its following; null for nothing. */
export function touchOf(key: string): Touch | null {
  if (key === 'End') return { kind: 'end' }
  return AWAY.has(key) ? { kind: 'away' } : null
}
