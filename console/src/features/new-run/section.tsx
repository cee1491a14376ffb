/** A part of the form; one that is seldom needed is folded and says what is set in it. */
import { ChevronRight } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'

export function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  const id = useId()
  return (
    <section aria-labelledby={id} className="space-y-4 border-b border-line-soft py-5 first:pt-4">
      <h2 id={id} className="text-base font-semibold">{title}</h2>
      {children}
    </section>
  )
}

interface FoldedProps {
  readonly title: string
  /** What is set inside, in a few words. */
  readonly set: string
  /** Something in it has to change, so that it opens. */
  readonly isWrong: boolean
  readonly children: ReactNode
}

export function Folded({ title, set, isWrong, children }: FoldedProps) {
  const id = useId()
  const [isOpen, setOpen] = useState(isWrong)
  // It stays open once that is put right: the field that has the focus must not go away under it.
  if (isWrong && !isOpen) setOpen(true)
  return (
    <section aria-labelledby={id} className="border-b border-line-soft py-2">
      <h2>
        <button id={id} type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)} className="-mx-2 flex min-h-9 w-[calc(100%+1rem)] items-center gap-2 rounded-md px-2 text-left hover:bg-hover">
          <ChevronRight aria-hidden="true" className={`size-4 shrink-0 text-muted transition-transform ${isOpen ? 'rotate-90' : ''}`} />
          <span className="text-base font-semibold">{title}</span>
          <span className="min-w-0 truncate text-muted">{set}</span>
        </button>
      </h2>
      {isOpen ? <div className="space-y-4 pt-3 pb-4">{children}</div> : null}
    </section>
  )
}
