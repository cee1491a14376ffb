/** Short news that is spoken and goes away; an error stays until it is closed. */
import { CircleX, Info, X } from 'lucide-react'
import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react'

const SHOWN_MS = 6000
const MOST = 4

interface Toast {
  readonly id: number
  readonly text: string
  readonly isError: boolean
}

type Say = (text: string, isError?: boolean) => void
const Saying = createContext<Say>(() => undefined)

/** Say something to the person who looks. */
export function useToast(): Say {
  return useContext(Saying)
}

let lastId = 0

export function Toasts({ children }: { readonly children: ReactNode }) {
  const [shown, setShown] = useState<readonly Toast[]>([])
  const close = useCallback((id: number) => setShown((all) => all.filter((each) => each.id !== id)), [])
  const say = useCallback<Say>((text, isError = false) => {
    const toast = { id: ++lastId, text, isError }
    setShown((all) => [...all, toast].slice(-MOST))
  }, [])
  return (
    <Saying value={say}>
      {children}
      <div role="log" aria-label="News" aria-live="polite" className="pointer-events-none fixed right-3 bottom-16 z-30 flex max-w-[calc(100vw-1.5rem)] flex-col items-end gap-2 md:bottom-11">
        {shown.map((each) => <Shown key={each.id} toast={each} onClose={close} />)}
      </div>
    </Saying>
  )
}

function Shown({ toast, onClose }: { readonly toast: Toast; readonly onClose: (id: number) => void }) {
  useEffect(() => {
    if (toast.isError) return
    const timer = setTimeout(onClose, SHOWN_MS, toast.id)
    return () => clearTimeout(timer)
  }, [toast, onClose])
  const Icon = toast.isError ? CircleX : Info
  return (
    <div className={`pointer-events-auto flex max-w-md items-start gap-2 rounded-lg border bg-surface py-1 pr-1 pl-3 shadow-lg ${toast.isError ? 'border-bad' : 'border-line'}`}>
      <Icon aria-hidden="true" className={`mt-2 size-4 shrink-0 ${toast.isError ? 'text-bad' : 'text-active'}`} />
      <span className="min-w-0 py-1.5 break-words">{toast.text}</span>
      <button type="button" aria-label={`Close: ${toast.text}`} onClick={() => onClose(toast.id)} className="grid size-8 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"><X aria-hidden="true" className="size-4" /></button>
    </div>
  )
}
