/** A button whose target is large enough, and that says while it works. */
import type { ButtonHTMLAttributes, ReactNode } from 'react'

const LOOKS = {
  plain: 'border border-line bg-surface text-ink hover:bg-hover',
  quiet: 'text-muted hover:bg-hover hover:text-ink',
  primary: 'bg-accent text-on-accent hover:opacity-90',
  danger: 'border border-bad bg-surface text-bad hover:bg-hover',
} as const

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: keyof typeof LOOKS
  readonly size?: 'normal' | 'small'
  readonly isBusy?: boolean
  readonly children: ReactNode
}

/** The classes of a button, for a link that looks like one. */
export function buttonClass(look: keyof typeof LOOKS = 'plain', size: 'normal' | 'small' = 'normal'): string {
  const shape = size === 'small' ? 'min-h-7 min-w-7 px-2' : 'min-h-8 min-w-8 px-3'
  return `inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-55 ${shape} ${LOOKS[look]}`
}

export function Button({ look = 'plain', size = 'normal', isBusy = false, className = '', disabled, children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`${buttonClass(look, size)} ${className}`} disabled={disabled === true || isBusy} aria-busy={isBusy}>
      {children}
    </button>
  )
}
