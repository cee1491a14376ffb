/** A project is made or changed here; where its files are cannot be changed, since runs count on it. */
import { type FormEvent, useState } from 'react'
import { Refused } from '@/lib/http'
import { Button } from '@/ui/button'
import { TextField } from '@/ui/field'
import { Refusal } from '@/ui/refusal'
import { mistakesOf, type Project, type ProjectDraft, useSave } from './data'

interface ProjectFormProps {
  readonly project: Project | null
  readonly onSaved: (project: Project) => void
  readonly onCancel: () => void
}

export function ProjectForm({ project, onSaved, onCancel }: ProjectFormProps) {
  const [draft, setDraft] = useState(() => draftOf(project))
  const [isTried, setTried] = useState(false)
  const save = useSave(project, onSaved)
  const found = mistakesOf(draft)
  const refused = refusedField(save.error)
  const mistakes = { ...(refused && save.error ? { [refused]: save.error.message } : {}), ...(isTried ? found : {}) }
  const change = (part: Partial<ProjectDraft>) => {
    if (save.isError) save.reset()
    setDraft({ ...draft, ...part })
  }
  const send = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (Object.keys(found).length === 0) save.mutate(draft)
  }
  return (
    <form noValidate onSubmit={send} className="space-y-4">
      {project ? null : (
        <>
          <TextField label="Name" isNeeded autoFocus value={draft.name} onChange={(name) => change({ name })} maxLength={100} mistake={mistakes.name} />
          <TextField
            label="Directory" isMono value={draft.path} onChange={(path) => change({ path })} placeholder="/srv/shop" mistake={mistakes.path}
            hint="Absolute, on the workers’ hosts. Without one each run gets an empty directory of its own. It cannot be changed later."
          />
        </>
      )}
      <TextField
        label="Most runs at once" inputMode="numeric" value={draft.maxRunning} onChange={(maxRunning) => change({ maxRunning })} placeholder="no cap of its own" autoFocus={project !== null}
        mistake={mistakes.maxRunning} hint="More of them wait in the queue."
      />
      {save.error && refused === null ? <Refusal error={save.error} /> : null}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" look="primary" isBusy={save.isPending}>{project ? 'Save' : 'Create project'}</Button>
      </div>
    </form>
  )
}

function draftOf(project: Project | null): ProjectDraft {
  return { name: project?.name ?? '', path: project?.path ?? '', maxRunning: project?.settings.max_running?.toString() ?? '' }
}

function refusedField(error: Error | null): keyof ProjectDraft | null {
  if (!(error instanceof Refused)) return null
  if (error.code === 'name_taken' || error.message.startsWith('`name`')) return 'name'
  if (error.message.startsWith('`path`')) return 'path'
  return error.message.includes('max_running') ? 'maxRunning' : null
}
