/** A message to an agent that waits for one; Mod+Enter sends it. */
import { type KeyboardEvent, useState } from 'react'
import type { Run } from '@/lib/words'
import { Button } from '@/ui/button'
import { AreaField } from '@/ui/field'
import { useToast } from '@/ui/toast'
import { newKey } from '../polled'
import { useReply } from './actions'

export function Reply({ run }: { readonly run: Run }) {
  const say = useToast()
  const [text, setText] = useState('')
  const [key, setKey] = useState(newKey)
  const reply = useReply(run.id, () => {
    say(`Run ${run.id} gets the message.`)
    setText('')
    setKey(newKey())
  })
  const send = () => { if (text.trim() !== '' && !reply.isPending) reply.mutate({ text, key }) }
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return
    event.preventDefault()
    send()
  }
  const change = (next: string) => {
    setText(next)
    // Another text is another message, also where the answer to the last one was lost.
    setKey(newKey())
  }
  return (
    <form onSubmit={(event) => { event.preventDefault(); send() }} onKeyDown={press} className="space-y-2">
      <AreaField label="Message to the agent" rows={2} value={text} onChange={change} mistake={reply.error?.message} />
      <Button type="submit" size="small" look="primary" isBusy={reply.isPending} disabled={text.trim() === ''}>Send</Button>
    </form>
  )
}
