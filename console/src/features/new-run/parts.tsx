/** The parts of the form that are seldom needed: environment, limits, queue and retry, names and labels. */
import { AreaField, ChoiceField, TextField } from '@/ui/field'
import { LIMITS } from './backends'
import type { Draft, OnLost } from './draft'
import type { Mistakes } from './request'
import { Labels, Variables } from './rows'
import { Folded } from './section'

export interface PartProps {
  readonly draft: Draft
  readonly mistakes: Mistakes
  readonly onChange: (part: Partial<Draft>) => void
}

const isIn = (mistakes: Mistakes, ...fields: readonly string[]) => Object.keys(mistakes).some((each) => fields.includes(each.startsWith('limits.') ? 'limits' : each))
const several = (count: number, one: string) => (count === 0 ? '' : `${count} ${one}${count === 1 ? '' : 's'}`)
const listed = (...parts: readonly string[]) => parts.filter((each) => each !== '').join(' · ')

export function Environment({ draft, mistakes, onChange }: PartProps) {
  if (draft.backend === 'replay') return null
  const set = listed(several(draft.variables.length, 'variable'), draft.cwd && `in ${draft.cwd}`)
  return (
    <Folded title="Environment" set={set} isWrong={isIn(mistakes, 'env', 'options.cwd')}>
      <Variables
        what="variable" rows={draft.variables} field="env" mistakes={mistakes} onChange={(variables) => onChange({ variables })}
        hint="A secret is kept apart from the run, deleted with its raw output, and never shown again. Names with KEY, TOKEN, SECRET or PASSWORD are always secret."
      />
      <TextField label="Directory" isMono placeholder="the project’s" hint="Absolute on the worker, or below the project’s." mistake={mistakes['options.cwd']} value={draft.cwd} onChange={(cwd) => onChange({ cwd })} />
    </Folded>
  )
}

export function LimitsPart({ draft, mistakes, onChange }: PartProps) {
  const set = LIMITS.flatMap(({ name, label, unit }) => (draft.limits[name] ? [`${label} ${draft.limits[name]} ${unit}`.trim()] : []))
  return (
    <Folded title="Limits" set={listed(...set)} isWrong={isIn(mistakes, 'limits')}>
      <div className="grid items-start gap-4 sm:grid-cols-3">
        {LIMITS.map(({ name, label, unit, placeholder }) => (
          <TextField
            key={name} label={label} unit={unit} placeholder={placeholder} inputMode="decimal" mistake={mistakes[`limits.${name}`]} value={draft.limits[name] ?? ''}
            onChange={(value) => onChange({ limits: { ...draft.limits, [name]: value } })}
          />
        ))}
      </div>
      <p className="text-xs text-muted">Paused time does not count. Memory, CPUs and processes need a worker whose host can enforce them; Workers says which do.</p>
    </Folded>
  )
}

const ON_LOST: readonly (readonly [OnLost, string])[] = [['wait', 'Wait for it to come back'], ['fail', 'End as failed'], ['retry', 'Try again elsewhere']]

export function Queue({ draft, mistakes, onChange }: PartProps) {
  const set = listed(draft.priority && `priority ${draft.priority}`, draft.attempts && `${draft.attempts} tries`, draft.onLost === 'wait' ? '' : `if its worker is lost: ${draft.onLost}`)
  return (
    <Folded title="Queue and retry" set={set} isWrong={isIn(mistakes, 'priority', 'retry.attempts', 'retry.backoff_s', 'on_lost')}>
      <div className="grid items-start gap-4 sm:grid-cols-2">
        <TextField label="Priority" placeholder="0" inputMode="numeric" hint="−1000 to 1000, higher first." mistake={mistakes.priority} value={draft.priority} onChange={(priority) => onChange({ priority })} />
        <ChoiceField label="If its worker is lost" choices={ON_LOST} mistake={mistakes.on_lost} value={draft.onLost} onChange={(value) => onChange({ onLost: ON_LOST.find(([each]) => each === value)?.[0] ?? 'wait' })} />
        <TextField label="Tries in all" placeholder="1" inputMode="numeric" hint="More than 1: a failure that may pass is tried again." mistake={mistakes['retry.attempts']} value={draft.attempts} onChange={(attempts) => onChange({ attempts })} />
        <TextField label="Wait before the second" unit="s" placeholder="10" inputMode="decimal" hint="Doubled before each further try, an hour at most." mistake={mistakes['retry.backoff_s']} value={draft.backoff} onChange={(backoff) => onChange({ backoff })} />
      </div>
    </Folded>
  )
}

export function Naming({ draft, mistakes, onChange }: PartProps) {
  const hasMetadata = draft.metadata.trim() !== ''
  const set = listed(draft.title, draft.agent && `agent ${draft.agent}`, several(draft.labels.length, 'label'), hasMetadata ? 'metadata' : '')
  return (
    <Folded title="Names, labels, metadata" set={set} isWrong={isIn(mistakes, 'title', 'agent', 'agent_version', 'external_id', 'labels', 'metadata')}>
      <div className="grid items-start gap-4 sm:grid-cols-2">
        <TextField label="Title" maxLength={500} placeholder="from goal or command" mistake={mistakes.title} value={draft.title} onChange={(title) => onChange({ title })} className="sm:col-span-2" />
        <TextField label="Agent" maxLength={200} hint="Runs of one agent are compared by version." mistake={mistakes.agent} value={draft.agent} onChange={(agent) => onChange({ agent })} />
        <TextField label="Agent version" maxLength={200} placeholder="from its settings" mistake={mistakes.agent_version} value={draft.agentVersion} onChange={(agentVersion) => onChange({ agentVersion })} />
        <TextField label="External id" maxLength={200} hint="Unique: a second run with it is refused." mistake={mistakes.external_id} value={draft.externalId} onChange={(externalId) => onChange({ externalId })} className="sm:col-span-2" />
      </div>
      <div className="space-y-1">
        <p className="font-medium">Labels</p>
        <Labels what="label" rows={draft.labels} field="labels" mistakes={mistakes} hint="Found by label:name=value." onChange={(labels) => onChange({ labels })} />
      </div>
      <AreaField label="Metadata (JSON)" isMono rows={4} placeholder={'{"ticket": "WEB-12"}'} hint="Any object; kept with the run as it is." mistake={mistakes.metadata} value={draft.metadata} onChange={(metadata) => onChange({ metadata })} />
    </Folded>
  )
}

export function MoreOptions({ draft, mistakes, onChange }: PartProps) {
  return (
    <Folded title="More options" set={draft.more.trim() === '' ? '' : 'JSON'} isWrong={isIn(mistakes, 'more')}>
      <AreaField label="Options (JSON)" isMono rows={4} placeholder="{}" hint="Options of the backend that have no field above; fields win." mistake={mistakes.more} value={draft.more} onChange={(more) => onChange({ more })} />
    </Folded>
  )
}
