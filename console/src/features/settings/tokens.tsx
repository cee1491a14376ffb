/** Access tokens: made here, shown once, revoked here. */
import { Plus } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { visible } from '@/lib/ansi'
import { relative } from '@/lib/format'
import { Button } from '@/ui/button'
import { Snippet } from '@/ui/copy'
import { Confirm, Dialog } from '@/ui/dialog'
import { ChoiceField, TextField } from '@/ui/field'
import { Refusal } from '@/ui/refusal'
import { AsOf, Unread } from '../as-of'
import { type Scope, type Token, useMakeToken, useRevokeToken, useTokens } from './data'
import { Part } from './part'

const SCOPES: readonly (readonly [Scope, string])[] = [
  ['read', 'read: look at everything'], ['report', 'report: send runs that happen elsewhere'], ['metrics', 'metrics: scrape /metrics'], ['worker', 'worker: claim and execute runs'], ['admin', 'admin: everything'],
]

export function TokensPart({ now }: { readonly now: number }) {
  const query = useTokens()
  const revoke = useRevokeToken()
  const [isMaking, setMaking] = useState(false)
  const [revoked, setRevoked] = useState<Token | null>(null)
  const [isWhole, setWhole] = useState(false)
  const all = query.data ?? []
  const old = all.filter((each) => each.revoked_at !== null)
  const shown = isWhole ? all : all.filter((each) => each.revoked_at === null)
  return (
    <Part
      id="tokens" lead="For programs, workers and the command line. The text of a token is shown once, when it is made."
      actions={<Button onClick={() => setMaking(true)}><Plus aria-hidden="true" className="size-4" />New token</Button>}
    >
      <AsOf query={query} />
      {query.data ? <TokenTable tokens={shown} now={now} onRevoke={setRevoked} /> : <Unread query={query} rows={3} />}
      {old.length ? <Button size="small" look="quiet" className="mt-2" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>{isWhole ? 'Hide revoked' : `Show ${old.length} revoked`}</Button> : null}
      <Dialog title="New token" isOpen={isMaking} onClose={() => setMaking(false)}><NewToken onDone={() => setMaking(false)} /></Dialog>
      <Confirm title={`Revoke ${visible(revoked?.name ?? '')}?`} action="Revoke token" isOpen={revoked !== null} onClose={() => setRevoked(null)} onConfirm={() => { if (revoked) revoke.mutate(revoked); setRevoked(null) }}>
        Whatever uses it is refused within five seconds, and browsers that signed in with it are signed out. This cannot be undone.
      </Confirm>
    </Part>
  )
}

function TokenTable({ tokens, now, onRevoke }: { readonly tokens: readonly Token[]; readonly now: number; readonly onRevoke: (token: Token) => void }) {
  if (tokens.length === 0) return <p className="text-muted">There is no token.</p>
  return (
    <table className="w-full table-fixed border-collapse">
      <caption className="sr-only">Tokens</caption>
      <thead>
        <tr className="border-b border-line-soft text-left text-xs text-muted">
          <th scope="col" className="py-1.5 pr-3 font-medium">Name</th>
          <th scope="col" className="w-20 py-1.5 pr-3 font-medium">Scope</th>
          <th scope="col" className="hidden w-28 py-1.5 pr-3 font-medium sm:table-cell">Made</th>
          <th scope="col" className="w-24 py-1.5"><span className="sr-only">Revoke</span></th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <tr key={token.id} className="h-9 border-b border-line-soft">
            <th scope="row" className="truncate pr-3 text-left font-medium" title={visible(token.name)}>{visible(token.name)}</th>
            <td className="pr-3">{token.scope}</td>
            <td className="hidden pr-3 text-muted sm:table-cell" title={token.created_at}>{relative(Date.parse(token.created_at), now)}</td>
            <td className="text-right">{token.revoked_at === null ? <Button size="small" look="quiet" onClick={() => onRevoke(token)}>Revoke<span className="sr-only"> {visible(token.name)}</span></Button> : <span className="text-muted" title={token.revoked_at}>revoked</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function NewToken({ onDone }: { readonly onDone: () => void }) {
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Scope>('read')
  const [text, setText] = useState<string | null>(null)
  const make = useMakeToken((made) => setText(made.token))
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (name.trim() !== '') make.mutate({ name: name.trim(), scope })
  }
  if (text !== null) {
    return (
      <div className="space-y-3">
        <p>Copy it now: it is not stored and is never shown again.</p>
        <Snippet text={text} label="Token" />
        <div className="flex justify-end"><Button look="primary" onClick={onDone}>Done</Button></div>
      </div>
    )
  }
  return (
    <form onSubmit={send} className="space-y-4">
      <TextField label="Name" isNeeded autoFocus maxLength={100} value={name} onChange={setName} hint="What uses it, such as nightly-import." />
      <ChoiceField label="Scope" choices={SCOPES} value={scope} onChange={(value) => setScope(SCOPES.find(([each]) => each === value)?.[0] ?? 'read')} />
      {make.error ? <Refusal error={make.error} /> : null}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="primary" isBusy={make.isPending} disabled={name.trim() === ''}>Make token</Button>
      </div>
    </form>
  )
}
