/** The browser's own modal dialog: it keeps the focus, closes with Escape and gives the focus back. */
import { X } from 'lucide-react'
import { type MouseEvent, type ReactNode, type SyntheticEvent, useEffect, useId, useRef } from 'react'
import { Button } from './button'

const FIRST = 'input:not(:disabled), select, textarea, button:not(:disabled), a[href]'

interface DialogProps {
  readonly title: string
  readonly isOpen: boolean
  readonly onClose: () => void
  readonly children: ReactNode
  readonly size?: 'normal' | 'wide'
}

export function Dialog({ title, isOpen, onClose, children, size = 'normal' }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    if (!isOpen) return dialog.current?.close()
    dialog.current?.showModal()
    // The browser would take the box that scrolls; what is asked for comes first.
    dialog.current?.querySelector<HTMLElement>(FIRST)?.focus()
  }, [isOpen])
  // The backdrop is the dialog itself; what is inside covers the rest of it.
  // Closed by us, not by the browser, whose word of it comes later than the next key.
  const cancel = (event: SyntheticEvent) => {
    event.preventDefault()
    onClose()
  }
  // By then somebody may have opened it again.
  const closed = () => { if (!dialog.current?.open) onClose() }
  const press = (event: MouseEvent) => { if (event.target === dialog.current) onClose() }
  const width = size === 'wide' ? 'max-w-3xl' : 'max-w-lg'
  return (
    <dialog
      ref={dialog} aria-labelledby={id} onCancel={cancel} onClose={closed} onMouseDown={press}
      className={`m-auto max-h-[85dvh] w-[calc(100%-2rem)] overflow-hidden rounded-lg border border-line bg-surface p-0 text-ink shadow-xl sm:mt-[12dvh] ${width}`}
    >
      {isOpen ? (
        <div className="flex max-h-[85dvh] flex-col">
          <h2 id={id} className="border-b border-line-soft py-3 pr-12 pl-4 text-base font-semibold">{title}</h2>
          <div tabIndex={-1} className="min-h-0 overflow-auto p-4 outline-none">{children}</div>
          {/* Last, so that the focus begins with what the dialog is about. */}
          <button type="button" aria-label="Close" onClick={onClose} className="absolute top-1.5 right-2 grid size-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"><X aria-hidden="true" className="size-4" /></button>
        </div>
      ) : null}
    </dialog>
  )
}

interface ConfirmProps {
  readonly title: string
  readonly isOpen: boolean
  readonly action: string
  readonly look?: 'primary' | 'danger'
  readonly isBusy?: boolean
  readonly onConfirm: () => void
  readonly onClose: () => void
  readonly children?: ReactNode
}

/** Asks before something that cannot be taken back; the way out has the focus, the deed says what it does. */
export function Confirm({ title, isOpen, action, look = 'danger', isBusy = false, onConfirm, onClose, children }: ConfirmProps) {
  return (
    <Dialog title={title} isOpen={isOpen} onClose={onClose}>
      <div className="text-muted">{children}</div>
      <div className="mt-4 flex justify-end gap-2">
        <Button autoFocus onClick={onClose}>Cancel</Button>
        <Button look={look} isBusy={isBusy} onClick={onConfirm}>{action}</Button>
      </div>
    </Dialog>
  )
}
