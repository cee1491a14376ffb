/** What is to be done: a goal in words, a command line, and what else the backend takes. */
import { AreaField, CheckField } from '@/ui/field'
import { split } from './argv'
import { backendForm } from './backends'
import { Options } from './options'
import type { PartProps } from './parts'
import { Section } from './section'

export function Task({ draft, mistakes, onChange }: PartProps) {
  const form = backendForm(draft.backend)
  const goal = form.goal === 'none' ? null : (
    <AreaField
      label="Goal" isNeeded={form.goal === 'needed'} hint={form.goalHint} mistake={mistakes.goal} rows={form.goal === 'needed' ? 6 : 2}
      value={draft.goal} onChange={(value) => onChange({ goal: value })} maxLength={1_000_000}
    />
  )
  return (
    <Section title="Task">
      {draft.backend === 'command' ? <CommandLine draft={draft} mistakes={mistakes} onChange={onChange} /> : goal}
      {form.options.length ? <Options options={form.options} values={draft.options} mistakes={mistakes} onChange={(name, value) => onChange({ options: { ...draft.options, [name]: value } })} /> : null}
      {draft.backend === 'command' ? goal : null}
    </Section>
  )
}

function CommandLine({ draft, mistakes, onChange }: PartProps) {
  return (
    <div className="space-y-2">
      <AreaField
        label={draft.isShell ? 'Shell script' : 'Command line'} isNeeded isMono rows={draft.isShell ? 5 : 2} placeholder={draft.isShell ? 'make build && make test | tee test.log' : 'make test'}
        mistake={mistakes['options.argv']} hint={commandHint(draft.command, draft.isShell)} value={draft.command} onChange={(command) => onChange({ command })}
      />
      <CheckField label="Run in a shell (sh -c)" isOn={draft.isShell} onChange={(isShell) => onChange({ isShell })} />
    </div>
  )
}

function commandHint(command: string, isShell: boolean): string {
  if (isShell) return 'One text for sh -c: pipes, variables and several commands mean what they do in a shell.'
  const words = split(command)
  if ('argv' in words && words.operator !== null) return `${words.operator} means nothing without a shell and is passed on as it is. Tick the box below if it is to be understood.`
  return 'No shell is involved; quotes and backslashes keep words together.'
}
