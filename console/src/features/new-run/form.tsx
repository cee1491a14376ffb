/** The form of a new run: kept while it is filled, checked before it is sent, and refused at the field that is wrong. */
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { visible } from '@/lib/ansi'
import type { components } from '@/lib/schema'
import { Button } from '@/ui/button'
import { ChoiceField, TextField } from '@/ui/field'
import { KeyCaps } from '@/ui/keycaps'
import { Refusal } from '@/ui/refusal'
import { useAccess } from '../access'
import { AT_ONCE, newKey } from '../polled'
import { useWorkers } from '../workers/data'
import { BackendChoice } from './backend-choice'
import { backendForm, LIMITS } from './backends'
import { useProjects } from './data'
import { type Draft, forget, keep } from './draft'
import { Environment, LimitsPart, MoreOptions, Naming, type PartProps, Queue } from './parts'
import { Preview } from './preview'
import { countOf, fieldOf, type Mistakes, requestOf, type RunRequest } from './request'
import { Section } from './section'
import { Task } from './task'

interface FormProps {
  readonly initial: Draft
  /** The run that this began as, if one. */
  readonly from: number | null
  readonly onMade: (id: number) => void
  readonly onClear: () => void
}

const FIELDS = [
  'backend', 'project', 'goal', 'title', 'agent', 'agent_version', 'external_id', 'priority', 'on_lost', 'retry.attempts', 'retry.backoff_s', 'options.argv', 'options.cwd',
  ...LIMITS.map(({ name }) => `limits.${name}`),
]

export function NewRunForm({ initial, from, onMade, onClear }: FormProps) {
  const [draft, setDraft] = useState(initial)
  const [isTried, setTried] = useState(0)
  const form = useRef<HTMLFormElement>(null)
  const create = useCreate(from, onMade)
  const { request, mistakes: wrong, missing } = requestOf(draft)
  const refused = refusal(create.error, draft)
  const mistakes: Mistakes = { ...(isTried ? missing : {}), ...(refused?.field ? { [refused.field]: refused.text } : {}), ...wrong }
  const wrongs = countOf(mistakes)
  const change = (part: Partial<Draft>) => {
    if (create.isError) create.reset()
    setDraft({ ...draft, ...part })
  }
  useEffect(() => { if (draft !== initial) keep(draft, sessionStorage, from) }, [draft, initial, from])
  // Once the sections that hold mistakes have opened, the first of them takes the focus.
  useEffect(() => form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus(), [isTried, create.error])
  const send = (event?: FormEvent) => {
    event?.preventDefault()
    setTried(isTried + 1)
    if (Object.keys(wrong).length + Object.keys(missing).length === 0 && !create.isPending) create.mutate(request)
  }
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return
    event.preventDefault()
    send()
  }
  const part: PartProps = { draft, mistakes, onChange: change }
  return (
    <form ref={form} noValidate onSubmit={send} onKeyDown={press} className="grid w-full max-w-6xl [&_:is(input,textarea,select)]:scroll-mb-32 grid-cols-[minmax(0,1fr)] gap-x-8 px-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="min-w-0">
        {from === null ? null : <p className="mt-4 rounded-md border border-line-soft bg-raised px-3 py-2 text-muted">Begins as run {from} was. Its secrets are not known here: give them again, or use Retry, which keeps them.</p>}
        <Agent {...part} />
        <Task {...part} />
        <Environment {...part} />
        <LimitsPart {...part} />
        <Queue {...part} />
        <Naming {...part} />
        <MoreOptions {...part} />
        <div className="sticky bottom-0 -mx-4 mt-2 flex flex-wrap items-center gap-2 border-t border-line-soft bg-surface px-4 py-3">
          <Button type="submit" look="primary" isBusy={create.isPending}>{create.isPending ? 'Starting…' : 'Start run'}</Button>
          <span aria-hidden="true" className="hidden sm:inline"><KeyCaps keys="Mod+Enter" /></span>
          <Button look="quiet" onClick={() => { forget(sessionStorage, from); onClear() }}>Clear</Button>
          {create.error && !refused?.field ? <Refusal error={create.error} /> : null}
          {isTried && wrongs ? <p role="alert" className="text-bad">{wrongs === 1 ? 'One field has to change.' : `${wrongs} fields have to change.`}</p> : null}
        </div>
      </div>
      <div className="hidden pt-4 lg:block"><div className="sticky top-4"><Preview request={request} /></div></div>
    </form>
  )
}

function Agent({ draft, mistakes, onChange }: PartProps) {
  const projects = useProjects()
  const workers = useWorkers()
  const names = [...new Set([...(projects.data?.names ?? []), draft.project])]
  const project = { label: 'Project', mistake: mistakes.project, value: draft.project, onChange: (value: string) => onChange({ project: value }) }
  return (
    <Section title="Agent">
      <BackendChoice chosen={draft.backend} workers={workers.data ?? null} mistake={mistakes.backend} onChoose={(backend) => onChange({ backend })} />
      <div className="sm:max-w-xs">
        {projects.data?.isWhole === false ? <TextField {...project} /> : <ChoiceField {...project} choices={names.map((name) => [name, visible(name)] as const)} />}
      </div>
    </Section>
  )
}

function refusal(error: Error | null, draft: Draft): { text: string; field: string | null } | null {
  if (!error) return null
  const options = backendForm(draft.backend).options.map(({ name }) => `options.${name}`)
  return { text: error.message, field: fieldOf(error, [...FIELDS, ...options]) }
}

function useCreate(from: number | null, onMade: (id: number) => void) {
  const { client } = useAccess()
  const sent = useRef({ body: '', key: '' })
  return useMutation({
    ...AT_ONCE,
    mutationFn: async (request: RunRequest) => {
      const body = JSON.stringify(request)
      // The same request again, after an answer that was lost, makes no second run.
      if (sent.current.body !== body) sent.current = { body, key: newKey() }
      const { data } = await client.POST('/v1/runs', { params: { header: { 'Idempotency-Key': sent.current.key } }, body: request as unknown as components['schemas']['NewRun'] })
      return data as components['schemas']['RunView']
    },
    onSuccess: (run) => {
      forget(sessionStorage, from)
      onMade(run.id)
    },
  })
}
