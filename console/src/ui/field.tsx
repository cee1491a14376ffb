/** Fields of a form: a label, a hint and what is wrong, all of them read out with the field. */
import { type ReactNode, useId } from 'react'

/** What ties a field to its words; spread it on the input. */
export interface Tied {
  readonly id: string
  readonly 'aria-describedby': string | undefined
  readonly 'aria-invalid': boolean
}

interface FieldProps {
  readonly label: string
  readonly hint?: ReactNode
  readonly mistake?: string | undefined
  readonly isNeeded?: boolean
  readonly className?: string
  readonly children: (tied: Tied) => ReactNode
}

/** How every input looks; an invalid one has a heavier line beside its words. */
export const INPUT = 'field w-full min-w-0 aria-invalid:ring-1 aria-invalid:ring-bad disabled:opacity-60'

export function Field({ label, hint, mistake, isNeeded = false, className = '', children }: FieldProps) {
  const id = useId()
  const described = [mistake ? `${id}-mistake` : null, hint ? `${id}-hint` : null].filter((each) => each !== null).join(' ')
  return (
    <div className={`flex min-w-0 flex-col gap-1 ${className}`}>
      <label htmlFor={id} className="font-medium">{label}{isNeeded ? <span className="ml-1 font-normal text-muted">needed</span> : null}</label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': mistake !== undefined })}
      {mistake ? <p id={`${id}-mistake`} className="text-xs break-words text-bad">{mistake}</p> : null}
      {hint ? <p id={`${id}-hint`} className="text-xs text-muted">{hint}</p> : null}
    </div>
  )
}

interface TextProps extends Omit<FieldProps, 'children'> {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly placeholder?: string | undefined
  readonly isMono?: boolean
  readonly unit?: string
  readonly maxLength?: number
  readonly autoFocus?: boolean
  readonly inputMode?: 'numeric' | 'decimal'
}

export function TextField({ value, onChange, placeholder, isMono = false, unit = '', maxLength, autoFocus, inputMode, ...field }: TextProps) {
  return (
    <Field {...field}>
      {(tied) => (
        <span className="relative flex">
          <input
            {...tied} className={`h-8 ${INPUT} ${isMono ? 'font-mono text-xs' : ''} ${unit ? 'pr-12' : ''}`} value={value} onChange={(event) => onChange(event.target.value)}
            placeholder={placeholder} maxLength={maxLength} spellCheck={!isMono} autoComplete="off" autoFocus={autoFocus} inputMode={inputMode}
          />
          {unit ? <span className="pointer-events-none absolute inset-y-0 right-2 flex items-center text-muted">{unit}</span> : null}
        </span>
      )}
    </Field>
  )
}

interface AreaProps extends Omit<TextProps, 'unit' | 'inputMode'> {
  readonly rows?: number
}

export function AreaField({ value, onChange, placeholder, isMono = false, maxLength, autoFocus, rows = 3, ...field }: AreaProps) {
  return (
    <Field {...field}>
      {(tied) => (
        <textarea
          {...tied} rows={rows} className={`min-h-16 resize-y py-1.5 ${INPUT} ${isMono ? 'font-mono text-xs' : ''}`} value={value} onChange={(event) => onChange(event.target.value)}
          placeholder={placeholder} maxLength={maxLength} spellCheck={!isMono} autoFocus={autoFocus}
        />
      )}
    </Field>
  )
}

interface ChoiceProps extends Omit<FieldProps, 'children'> {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly choices: readonly (readonly [string, string])[]
}

export function ChoiceField({ value, onChange, choices, ...field }: ChoiceProps) {
  return (
    <Field {...field}>
      {(tied) => (
        <select {...tied} className={`h-8 ${INPUT}`} value={value} onChange={(event) => onChange(event.target.value)}>
          {choices.map(([each, words]) => <option key={each} value={each}>{words}</option>)}
        </select>
      )}
    </Field>
  )
}

interface CheckProps {
  readonly label: ReactNode
  readonly isOn: boolean
  readonly onChange: (isOn: boolean) => void
  readonly isDisabled?: boolean
}

export function CheckField({ label, isOn, onChange, isDisabled = false }: CheckProps) {
  return (
    <label className={`inline-flex min-h-6 items-center gap-2 ${isDisabled ? 'text-muted' : ''}`}>
      <input type="checkbox" className="size-4 accent-accent" checked={isOn} disabled={isDisabled} onChange={(event) => onChange(event.target.checked)} />
      <span>{label}</span>
    </label>
  )
}
