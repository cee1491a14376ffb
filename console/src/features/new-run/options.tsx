/** The options of a backend as fields of their kind. */
import { AreaField, ChoiceField, TextField } from '@/ui/field'
import type { Option } from './backends'

interface OptionsProps {
  readonly options: readonly Option[]
  readonly values: Readonly<Record<string, string>>
  readonly mistakes: Readonly<Record<string, string>>
  readonly onChange: (name: string, value: string) => void
}

export function Options({ options, values, mistakes, onChange }: OptionsProps) {
  return (
    <div className="grid items-start gap-4 sm:grid-cols-2">
      {options.map((option) => (
        <OptionField key={option.name} option={option} value={values[option.name] ?? ''} mistake={mistakes[`options.${option.name}`]} onChange={(value) => onChange(option.name, value)} />
      ))}
    </div>
  )
}

interface OptionFieldProps {
  readonly option: Option
  readonly value: string
  readonly mistake: string | undefined
  readonly onChange: (value: string) => void
}

function OptionField({ option, value, mistake, onChange }: OptionFieldProps) {
  const { label, hint, kind, placeholder, isNeeded = false } = option
  const shared = { label, mistake, isNeeded, value, onChange, ...(hint === undefined ? {} : { hint }) }
  if (kind === 'choice') return <ChoiceField {...shared} choices={option.choices ?? []} />
  if (kind === 'lines' || kind === 'area') return <AreaField {...shared} isMono={kind === 'lines' || option.isNeeded === true} placeholder={placeholder} className={kind === 'area' ? 'sm:col-span-2' : ''} rows={option.isNeeded ? 8 : 3} />
  return <TextField {...shared} placeholder={placeholder} {...(kind === 'whole' ? { inputMode: 'numeric' as const } : kind === 'number' ? { inputMode: 'decimal' as const } : {})} />
}
