/** A button and what it opens below itself; closes with Escape, by a press elsewhere, or when the focus leaves. */
import { createContext, type FocusEvent, type KeyboardEvent, type ReactNode, useContext, useEffect, useId, useRef, useState } from 'react'
import { buttonClass } from './button'

interface PopoverProps {
  readonly label: ReactNode
  /** Where the label is an icon alone. */
  readonly name?: string
  readonly look?: Parameters<typeof buttonClass>[0]
  readonly align?: 'left' | 'right'
  readonly side?: 'below' | 'above'
  readonly className?: string
  readonly children: ReactNode
}

const Closing = createContext<() => void>(() => undefined)

/** How what is inside a popover closes it. */
export function usePopoverClose(): () => void {
  return useContext(Closing)
}

export function Popover({ label, name, look = 'plain', align = 'left', side = 'below', className, children }: PopoverProps) {
  const [isOpen, setOpen] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  const opener = useRef<HTMLButtonElement>(null)
  const id = useId()
  useEffect(() => {
    if (!isOpen) return
    const press = (event: PointerEvent) => { if (event.target instanceof Node && !box.current?.contains(event.target)) setOpen(false) }
    document.addEventListener('pointerdown', press)
    return () => document.removeEventListener('pointerdown', press)
  }, [isOpen])
  const close = () => {
    setOpen(false)
    opener.current?.focus()
  }
  const press = (event: KeyboardEvent) => {
    if (!isOpen || event.key !== 'Escape') return
    event.preventDefault()
    close()
  }
  const leave = (event: FocusEvent) => { if (event.relatedTarget instanceof Node && !box.current?.contains(event.relatedTarget)) setOpen(false) }
  return (
    <div ref={box} className="relative" onKeyDown={press} onBlur={leave}>
      <button ref={opener} type="button" aria-label={name} title={name} aria-expanded={isOpen} aria-controls={isOpen ? id : undefined} className={className ?? buttonClass(look)} onClick={() => setOpen(!isOpen)}>{label}</button>
      {isOpen ? (
        <div id={id} className={`absolute z-20 max-h-[75dvh] w-64 max-w-[calc(100vw-1rem)] overflow-auto rounded-lg border border-line bg-surface p-1 shadow-lg ${align === 'right' ? 'right-0' : 'left-0'} ${side === 'above' ? 'bottom-full mb-1' : 'top-full mt-1'}`}><Closing value={close}>{children}</Closing></div>
      ) : null}
    </div>
  )
}
