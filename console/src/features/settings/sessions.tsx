/** Browsers that are signed in, and a link that signs in one more. */
import { Link2 } from 'lucide-react'
import { useState } from 'react'
import { visible } from '@/lib/ansi'
import { relative } from '@/lib/format'
import { Button } from '@/ui/button'
import { Snippet } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { Refusal } from '@/ui/refusal'
import { AsOf, Unread } from '../as-of'
import { browserName } from './browser-name'
import { type Scope, type Session, useEndSession, useInvite, useSessions } from './data'
import { Part } from './part'

const FEW = 5

export function SessionsPart({ now }: { readonly now: number }) {
  const query = useSessions()
  const [isInviting, setInviting] = useState(false)
  return (
    <Part id="sessions" lead="Each holds a cookie that no script can read." actions={<Button onClick={() => setInviting(true)}><Link2 aria-hidden="true" className="size-4" />Sign in another browser</Button>}>
      <AsOf query={query} />
      {query.data ? <SessionList sessions={query.data} now={now} /> : <Unread query={query} rows={2} />}
      <Dialog title="Sign in another browser" isOpen={isInviting} onClose={() => setInviting(false)}><Invite now={now} /></Dialog>
    </Part>
  )
}

function SessionList({ sessions, now }: { readonly sessions: readonly Session[]; readonly now: number }) {
  const end = useEndSession()
  const [isWhole, setWhole] = useState(false)
  // The one that looks is the first of them, wherever it stands in the list.
  const ordered = [...sessions].sort((a, b) => Number(b.current) - Number(a.current))
  const shown = isWhole ? ordered : ordered.slice(0, FEW)
  if (sessions.length === 0) return <p className="text-muted">No browser is signed in by cookie.</p>
  return (
    <>
      <ul className="divide-y divide-line-soft">
        {shown.map((session) => (
          <li key={session.id} className="flex items-center gap-3 py-2">
            <div className="min-w-0 flex-1">
              <p className="truncate font-medium" title={visible(session.browser)}>{visible(browserName(session.browser))}{session.current ? <span className="ml-2 font-normal text-good">This browser</span> : null}</p>
              <p className="text-xs text-muted">
                {session.scope} · used <span title={session.used_at}>{relative(Date.parse(session.used_at), now)}</span> · ends <span title={session.expires_at}>{relative(Date.parse(session.expires_at), now)}</span>
              </p>
            </div>
            {session.current ? null : <Button size="small" look="quiet" isBusy={end.isPending && end.variables.id === session.id} onClick={() => end.mutate(session)}>Sign out<span className="sr-only"> {visible(browserName(session.browser))}</span></Button>}
          </li>
        ))}
      </ul>
      {ordered.length > FEW ? <Button size="small" look="quiet" className="mt-1" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>{isWhole ? 'Show fewer' : `Show all ${ordered.length}`}</Button> : null}
    </>
  )
}

const SCOPES: readonly (readonly [Scope, string])[] = [['admin', 'Make a link that may do everything'], ['read', 'Make a link that may only look']]

function Invite({ now }: { readonly now: number }) {
  const invite = useInvite()
  if (invite.data) {
    return (
      <div className="space-y-3">
        <p>Open it in the other browser. It works once, until {relative(Date.parse(invite.data.expires_at), now)}.</p>
        <Snippet text={invite.data.url} label="Sign-in link" />
      </div>
    )
  }
  return (
    <div className="space-y-3">
      <p className="text-muted">Who has the link is signed in: give it to nobody else.</p>
      {invite.error ? <Refusal error={invite.error} /> : null}
      <div className="flex flex-wrap gap-2">{SCOPES.map(([scope, words]) => <Button key={scope} isBusy={invite.isPending} onClick={() => invite.mutate(scope)}>{words}</Button>)}</div>
    </div>
  )
}
