/** Queries with a name: a few of the console's own, and those that people saved, for everybody. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { BookmarkPlus, Trash2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { plain } from '@/lib/ansi'
import { format, parse } from '@/lib/query'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { useToast } from '@/ui/toast'
import { useAccess, useMayAct } from '../access'

const OWN = [
  { name: 'All', query: '' },
  { name: 'Active', query: 'is:active' },
  { name: 'Queued', query: 'status:queued' },
  { name: 'Failed', query: 'status:failed' },
  { name: 'Ended', query: 'is:terminal' },
] as const

const VIEWS = ['views'] as const

interface ViewsProps {
  readonly q: string
  readonly onChoose: (q: string) => void
}

export function Views({ q, onChoose }: ViewsProps) {
  const { client } = useAccess()
  const saved = useQuery({
    queryKey: VIEWS, staleTime: 60_000,
    queryFn: async ({ signal }) => (await client.GET('/v1/views', { params: { query: { limit: 100 } }, signal })).data?.items ?? [],
  })
  const [isSaving, setSaving] = useState(false)
  const now = canonical(q)
  const mayAct = useMayAct()
  const views = [...OWN, ...(saved.data ?? [])]
  const kept = saved.data?.find((each) => each.query === now)
  const isNew = now !== '' && !views.some((each) => each.query === now)
  return (
    <div className="flex min-w-0 flex-1 items-center gap-1">
      <div role="group" aria-label="Views" className="flex min-w-0 items-center gap-0.5 overflow-x-auto">
        {views.map((each) => (
          <button
            key={`${each.name} ${each.query}`} type="button" aria-pressed={each.query === now} title={each.query} onClick={() => onChoose(each.query)}
            className={`min-h-7 shrink-0 rounded-md px-2 ${each.query === now ? 'bg-selected font-medium text-ink' : 'text-muted hover:bg-hover hover:text-ink'}`}
          >
            {plain(each.name)}
          </button>
        ))}
      </div>
      {isNew && mayAct ? <Button look="quiet" size="small" onClick={() => setSaving(true)}><BookmarkPlus aria-hidden="true" className="size-4" />Save view</Button> : null}
      {kept && mayAct ? <DeleteView name={kept.name} /> : null}
      <Dialog title="Save this view" isOpen={isSaving} onClose={() => setSaving(false)}><SaveView query={now} onDone={() => setSaving(false)} /></Dialog>
    </div>
  )
}

function SaveView({ query, onDone }: { readonly query: string; readonly onDone: () => void }) {
  const { client } = useAccess()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const save = useMutation({
    mutationFn: () => client.POST('/v1/views', { body: { name: name.trim(), query } }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: VIEWS })
      onDone()
    },
  })
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (name.trim()) save.mutate()
  }
  return (
    <form onSubmit={send} className="flex flex-col gap-3">
      <p className="text-muted">Everybody who uses this server sees it. It finds <code className="font-mono text-ink">{query}</code></p>
      <label className="flex flex-col gap-1">Name<input autoFocus required maxLength={100} className="field" value={name} onChange={(event) => setName(event.target.value)} /></label>
      <p role="alert" className="text-bad empty:hidden">{save.error?.message}</p>
      <div className="flex justify-end gap-2"><Button onClick={onDone}>Cancel</Button><Button type="submit" look="primary" isBusy={save.isPending}>Save view</Button></div>
    </form>
  )
}

function DeleteView({ name }: { readonly name: string }) {
  const { client } = useAccess()
  const queries = useQueryClient()
  const say = useToast()
  const remove = useMutation({
    mutationFn: () => client.DELETE('/v1/views/{name}', { params: { path: { name } } }),
    onSuccess: () => say(`The view ${name} is deleted. No run was touched.`),
    onError: (error) => say(error.message, true),
    onSettled: () => queries.invalidateQueries({ queryKey: VIEWS }),
  })
  return <Button look="quiet" size="small" isBusy={remove.isPending} aria-label={`Delete the view ${name}`} title={`Delete the view ${name}`} onClick={() => remove.mutate()}><Trash2 aria-hidden="true" className="size-4" /></Button>
}

// What is no query is in no view.
function canonical(q: string): string {
  try {
    return format(parse(q))
  } catch {
    return q
  }
}
