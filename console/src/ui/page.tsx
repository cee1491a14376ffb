/** A page's head, which stays, and what scrolls below it. */
import type { ReactNode } from 'react'

interface PageProps {
  readonly title: string
  /** Beside the title: a count, a state. */
  readonly note?: ReactNode
  readonly actions?: ReactNode
  /** Between head and content, where something has to be said. */
  readonly notice?: ReactNode
  readonly children: ReactNode
}

export function Page({ title, note, actions, notice, children }: PageProps) {
  return (
    <div className="flex h-full flex-col">
      <header className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-2 border-b border-line-soft px-4 py-2">
        <h1 className="text-base font-semibold">{title}</h1>
        {note ? <div className="min-w-0 text-muted">{note}</div> : null}
        {actions ? <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div> : null}
      </header>
      {notice}
      {/* Positioned, so that what only screen readers see scrolls with it and does not make the window scroll. */}
      <div className="relative min-h-0 flex-1 overflow-auto">{children}</div>
    </div>
  )
}
