/** Copies a text, and says so where it is pressed. */
import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useToast } from './toast'

const SHOWN_MS = 1500

/** Copy to the clipboard; where the browser keeps that back, the person is told. */
export function useCopy(): (text: string, said?: string) => Promise<boolean> {
  const say = useToast()
  return async (text, said) => {
    try {
      await navigator.clipboard.writeText(text)
      if (said !== undefined) say(said)
      return true
    } catch {
      say('The browser does not let this page copy. Select the text and copy it yourself.', true)
      return false
    }
  }
}

export function CopyButton({ text, label, className = '' }: { readonly text: string; readonly label: string; readonly className?: string }) {
  const copy = useCopy()
  const [isDone, setDone] = useState(false)
  useEffect(() => {
    if (!isDone) return
    const timer = setTimeout(setDone, SHOWN_MS, false)
    return () => clearTimeout(timer)
  }, [isDone])
  const Icon = isDone ? Check : Copy
  return (
    <button
      type="button" aria-label={isDone ? 'Copied' : label} title={label} onClick={() => void copy(text).then(setDone)}
      className={`grid size-7 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink ${className}`}
    >
      <Icon aria-hidden="true" className={`size-3.5 ${isDone ? 'text-good' : ''}`} />
    </button>
  )
}

/** A command to copy: what stands in a terminal. */
export function Snippet({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div className="flex items-start gap-1 rounded-md border border-line-soft bg-raised p-1 pl-3 text-left text-ink">
      <pre tabIndex={0} aria-label={label} className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs leading-5">{text}</pre>
      <CopyButton text={text} label={`Copy: ${label}`} />
    </div>
  )
}
