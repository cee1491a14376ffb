/** A part of a page with a title, a note behind it, and actions at its end. */
import type { ReactNode } from 'react'
import { useId } from 'react'

interface PanelProps {
  readonly title: string
  readonly note?: ReactNode
  readonly actions?: ReactNode
  readonly className?: string
  readonly children: ReactNode
}

export function Panel({ title, note, actions, className = '', children }: PanelProps) {
  const id = useId()
  return (
    <section aria-labelledby={id} className={`flex min-w-0 flex-col rounded-lg border border-line bg-surface ${className}`}>
      <header className="flex min-h-10 items-center gap-2 pt-1 pr-2 pl-4">
        <h2 id={id} className="shrink-0 text-sm font-semibold">{title}</h2>
        <span className="min-w-0 flex-1 truncate text-xs text-muted">{note}</span>
        {actions}
      </header>
      {children}
    </section>
  )
}
