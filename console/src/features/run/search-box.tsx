/** Search within a run: how often a text is found, and from place to place. */
import { ChevronDown, ChevronUp, Search, X } from 'lucide-react'
import { type Ref } from 'react'

interface SearchBoxProps {
  readonly text: string
  readonly onText: (text: string) => void
  readonly onStep: (isForward: boolean) => void
  readonly onFocus: () => void
  /** How many were found, in words; null where nothing is searched for. */
  readonly found: string | null
  readonly box: Ref<HTMLInputElement>
}

export function SearchBox({ text, onText, onStep, onFocus, found, box }: SearchBoxProps) {
  return (
    <div role="search" className="flex min-w-0 flex-1 basis-52 items-center gap-1">
      <label className="flex min-w-0 flex-1 items-center gap-1.5 rounded-md px-2 focus-within:outline-2 focus-within:outline-accent sm:max-w-72">
        <Search aria-hidden="true" className="size-3.5 shrink-0 text-muted" />
        <input
          ref={box} type="text" aria-label="Search in this run" placeholder="Search in this run" spellCheck={false} value={text} onFocus={onFocus} onChange={(event) => onText(event.target.value)}
          className="min-h-7 min-w-0 flex-1 bg-transparent outline-none"
          onKeyDown={(event) => {
            if (event.key === 'Enter') { event.preventDefault(); onStep(!event.shiftKey) }
            else if (event.key === 'Escape') { event.preventDefault(); onText(''); event.currentTarget.blur() }
          }}
        />
      </label>
      <span role="status" className="text-xs whitespace-nowrap text-muted">{found}</span>
      {found === null ? null : (
        <>
          <Step label="Hit before (Shift+n)" onPress={() => onStep(false)}><ChevronUp aria-hidden="true" className="size-3.5" /></Step>
          <Step label="Next hit (n)" onPress={() => onStep(true)}><ChevronDown aria-hidden="true" className="size-3.5" /></Step>
          <Step label="End the search" onPress={() => onText('')}><X aria-hidden="true" className="size-3.5" /></Step>
        </>
      )}
    </div>
  )
}

function Step({ label, onPress, children }: { readonly label: string; readonly onPress: () => void; readonly children: React.ReactNode }) {
  return <button type="button" aria-label={label} title={label} onClick={onPress} className="grid size-7 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink">{children}</button>
}
