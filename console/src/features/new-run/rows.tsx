/** Names with values, a row each: environment and labels. */
import { Lock, LockOpen, Plus, X } from 'lucide-react'
import { Button } from '@/ui/button'
import { isSecret, looksSecret, type Row, row, type Variable, variable } from './draft'
import { type Mistakes, placeOf } from './request'

const BOX = 'field h-8 min-w-0 font-mono text-xs aria-invalid:ring-1 aria-invalid:ring-bad'

interface RowsProps<R extends Row> {
  /** What one row is: `label`, `variable`. */
  readonly what: string
  readonly rows: readonly R[]
  /** Where its mistakes stand: `env`, `labels`. */
  readonly field: string
  readonly mistakes: Mistakes
  readonly hint: string
  readonly onChange: (rows: readonly R[]) => void
}

interface EditorProps<R extends Row> extends RowsProps<R> {
  readonly make: () => R
  readonly isHidden?: (row: R) => boolean
  readonly beside?: (row: R, change: (part: Partial<R>) => void) => React.ReactNode
}

function Editor<R extends Row>({ what, rows, field, mistakes, hint, onChange, make, isHidden, beside }: EditorProps<R>) {
  const change = (key: number, part: Partial<R>) => onChange(rows.map((each) => (each.key === key ? { ...each, ...part } : each)))
  return (
    <div role="group" aria-label={`${what}s`} className="space-y-2">
      {rows.map((each, at) => (
        <div key={each.key} className="flex flex-wrap items-center gap-2 sm:flex-nowrap">
          <input
            aria-label={`Name of ${what} ${at + 1}`} aria-invalid={placeOf(field, each.key, 'name') in mistakes} className={`${BOX} basis-full sm:flex-1 sm:basis-0`} value={each.name} placeholder="NAME" spellCheck={false} autoComplete="off"
            onChange={(event) => change(each.key, { name: event.target.value } as Partial<R>)}
          />
          <input
            aria-label={`Value of ${what} ${at + 1}`} aria-invalid={placeOf(field, each.key, 'value') in mistakes} type={isHidden?.(each) ? 'password' : 'text'} className={`${BOX} flex-1 sm:flex-[2]`} value={each.value} placeholder="value" spellCheck={false}
            autoComplete="new-password" onChange={(event) => change(each.key, { value: event.target.value } as Partial<R>)}
          />
          {beside?.(each, (part) => change(each.key, part))}
          <button type="button" aria-label={`Remove ${what} ${at + 1}`} title="Remove" onClick={() => onChange(rows.filter((other) => other.key !== each.key))} className="grid size-8 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink">
            <X aria-hidden="true" className="size-4" />
          </button>
        </div>
      ))}
      {mistakes[field] ? <p className="text-xs text-bad">{mistakes[field]}</p> : null}
      <Button size="small" onClick={() => onChange([...rows, make()])}><Plus aria-hidden="true" className="size-3.5" />Add {what}</Button>
      <p className="text-xs text-muted">{hint}</p>
    </div>
  )
}

export function Labels(props: RowsProps<Row>) {
  return <Editor {...props} make={row} />
}

export function Variables(props: RowsProps<Variable>) {
  return (
    <Editor
      {...props} make={variable} isHidden={isSecret}
      beside={(each, change) => {
        const isForced = looksSecret(each.name)
        const isOn = isSecret(each)
        const Icon = isOn ? Lock : LockOpen
        return (
          <button
            type="button" aria-pressed={isOn} disabled={isForced} title={isForced ? 'A name such as this is always kept secret' : 'Keep the value secret'} onClick={() => change({ isSecret: !each.isSecret })}
            className={`inline-flex h-8 shrink-0 items-center gap-1 rounded-md border px-2 text-xs ${isOn ? 'border-accent text-accent' : 'border-line text-muted hover:bg-hover'}`}
          >
            <Icon aria-hidden="true" className="size-3.5" />Secret
          </button>
        )
      }}
    />
  )
}
