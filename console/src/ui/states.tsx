/** What stands where there is nothing to show: while it loads, where it is empty, where it failed. */
import type { ReactNode } from 'react'
import { Refused, TimedOut, Unreachable } from '@/lib/http'
import { Button } from './button'
import { CopyButton } from './copy'

/** Grey lines in the place of rows to come; spoken as one word. */
export function Skeleton({ rows = 6 }: { readonly rows?: number }) {
  return (
    <div role="status" className="space-y-2 p-4">
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, at) => <div key={at} aria-hidden="true" className="h-6 animate-pulse rounded bg-raised" />)}
    </div>
  )
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <section className="mx-auto max-w-prose p-8 text-center">
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="mt-2 text-muted">{children}</div>
    </section>
  )
}

/** An error in the server's words, with what finds it in the server's log. */
export function Failure({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const refused = error instanceof Refused ? error : null
  return (
    <section role="alert" className="mx-auto max-w-prose p-8 text-center">
      <h2 className="text-base font-semibold">{heading(error)}</h2>
      <p className="mt-2">{error instanceof Error ? error.message : 'Something went wrong.'}</p>
      {refused?.requestId ? <p className="mt-1 text-muted">Request {refused.requestId}</p> : null}
      <div className="mt-4 flex items-center justify-center gap-2">
        {onRetry ? <Button onClick={onRetry}>Try again</Button> : null}
        <CopyButton text={diagnostics(error)} label="Copy diagnostics" />
      </div>
    </section>
  )
}

function heading(refused: unknown): string {
  if (refused instanceof Unreachable || refused instanceof TimedOut) return 'The server cannot be reached'
  if (!(refused instanceof Refused)) return 'Something went wrong'
  if (refused.status === 401 || refused.status === 403) return 'No access'
  if (refused.status === 404) return 'Not found'
  return refused.status === 410 ? 'No longer kept' : 'The server refused'
}

/** What finds the cause: where, when, and what was answered. */
function diagnostics(error: unknown): string {
  const answer = error instanceof Refused ? `status ${error.status} ${error.code}, request ${error.requestId ?? 'unknown'}` : String(error)
  return [error instanceof Error ? error.message : '', answer, location.href, new Date().toISOString(), navigator.userAgent].join('\n')
}
