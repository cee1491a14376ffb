/** The way in: by the link that the terminal prints, or by a token. */
import { LogIn } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { Button } from '@/ui/button'
import { Snippet } from '@/ui/copy'

interface SignInProps {
  /** Why the token that was sent is not good. */
  readonly problem: string | null
  readonly isBusy: boolean
  readonly onToken: (token: string) => void
}

export function SignIn({ problem: refused, isBusy, onToken }: SignInProps) {
  const [token, setToken] = useState('')
  const [isMissing, setMissing] = useState(false)
  const isExpired = new URLSearchParams(location.search).get('login') === 'expired'
  const send = (event: FormEvent) => {
    event.preventDefault()
    setMissing(token.trim() === '')
    if (token.trim() !== '') onToken(token.trim())
  }
  const problem = isMissing ? 'Paste a token first.' : refused
  return (
    <main className="grid min-h-full place-items-center bg-raised p-4">
      <div className="w-full max-w-md rounded-lg border border-line bg-surface p-6">
        <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={32} height={32} />
        <h1 className="mt-3 text-xl font-semibold">Sign in to Agent Runner</h1>
        {isExpired ? <p role="alert" className="mt-2 text-attention">That link was used already or is too old. Take a fresh one.</p> : null}
        <h2 className="mt-5 font-semibold">With a link</h2>
        <p className="mt-1 mb-2 text-muted">In a terminal on the server's host:</p>
        <Snippet text="agentrunner login" label="command that prints a login link" />
        <h2 className="mt-5 font-semibold">With a token</h2>
        <form className="mt-1 flex flex-col gap-2" onSubmit={send} noValidate>
          <label className="text-muted" htmlFor="token">It begins with <code>ar_</code>. The data directory's file <code>token</code> holds one.</label>
          <div className="flex gap-2">
            <input
              id="token" name="token" type="password" autoComplete="off" spellCheck={false} className="field min-w-0 flex-1 font-mono" value={token}
              aria-invalid={problem !== null} aria-describedby="token-problem" onChange={(event) => setToken(event.target.value)}
            />
            <Button type="submit" look="primary" isBusy={isBusy}><LogIn aria-hidden="true" className="size-4" />Sign in</Button>
          </div>
          <p id="token-problem" role="alert" className="text-bad empty:hidden">{problem}</p>
        </form>
      </div>
    </main>
  )
}
