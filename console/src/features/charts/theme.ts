/** The theme's colours for a canvas, which does not read CSS variables by itself. */
import { useSyncExternalStore } from 'react'
import type { Tone } from './columns'

/** Areas are larger than text, so they may be calmer than it; at this share they still stand out 3:1 from the page. */
const CALM = 78

/** The name of the theme that is shown; charts are drawn anew when it changes. */
export function useTheme(): string {
  return useSyncExternalStore(listen, current)
}

function current(): string {
  return getComputedStyle(document.documentElement).getPropertyValue('--surface') + getComputedStyle(document.documentElement).getPropertyValue('--ink')
}

function listen(heard: () => void): () => void {
  const observer = new MutationObserver(heard)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'class'] })
  const queries = ['(prefers-color-scheme: dark)', '(prefers-contrast: more)'].map((each) => matchMedia(each))
  for (const each of queries) each.addEventListener('change', heard)
  return () => {
    observer.disconnect()
    for (const each of queries) each.removeEventListener('change', heard)
  }
}

/** What the canvas takes for a variable of the theme, inside `element`. */
export function ink(element: HTMLElement, name: Tone | 'line-soft' | 'muted'): string {
  return computed(element, `var(--${name})`)
}

/** The colour of an area. */
export function fill(element: HTMLElement, tone: Tone): string {
  return computed(element, `color-mix(in srgb, var(--${tone}) ${CALM}%, var(--surface))`)
}

// Only the browser knows what the variables and the mix come to.
function computed(element: HTMLElement, color: string): string {
  const probe = document.createElement('span')
  probe.style.color = color
  element.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}
