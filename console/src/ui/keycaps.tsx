/** Keys as they are written on a keyboard. */
import { caps } from '@/lib/keys'

const IS_APPLE = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform)

export function KeyCaps({ keys }: { readonly keys: string }) {
  return (
    <kbd className="inline-flex gap-0.5">
      {caps(keys, IS_APPLE).map((cap, at) => <span key={`${at}${cap}`} className="keycap">{cap}</span>)}
    </kbd>
  )
}
