/** Whether there is room for a table, or only for cards. */
import { useSyncExternalStore } from 'react'

const NARROW = '(max-width: 767px)'

export function useIsNarrow(): boolean {
  return useSyncExternalStore(listen, () => matchMedia(NARROW).matches)
}

function listen(heard: () => void): () => void {
  const query = matchMedia(NARROW)
  query.addEventListener('change', heard)
  return () => query.removeEventListener('change', heard)
}
