/** A preference of this browser as state. */
import { useSyncExternalStore } from 'react'
import { oneOf, Pref, truth } from '@/lib/prefs'

export type Theme = 'system' | 'light' | 'dark'

/** Which theme was chosen; `public/theme.js` reads the same name and shows it. */
export const theme = new Pref<Theme>('theme', 'system', oneOf('system', 'light', 'dark'))
/** Whether single letters are shortcuts (WCAG 2.1.4). */
export const letters = new Pref<boolean>('letters', true, truth)

/** The value now, and how to set it. */
export function usePref<T>(pref: Pref<T>): [T, (value: T) => void] {
  const value = useSyncExternalStore((heard) => pref.listen(heard), () => pref.value)
  return [value, (next) => pref.set(next)]
}

/** The theme's choice, and how to choose another, which is shown at once. */
export function useTheme(): [Theme, (value: Theme) => void] {
  const [value, set] = usePref(theme)
  return [value, (next) => { set(next); dispatchEvent(new Event('agentrunner.theme')) }]
}
