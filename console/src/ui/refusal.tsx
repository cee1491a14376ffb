/** A refusal in one line, where the whole page is no place for it. */
import { visible } from '@/lib/ansi'
import { Refused } from '@/lib/http'

export function Refusal({ error }: { readonly error: Error }) {
  return (
    <p role="alert" className="break-words text-bad">
      {visible(error.message)}
      {error instanceof Refused && error.requestId ? <span className="text-muted"> Request {error.requestId}</span> : null}
    </p>
  )
}
