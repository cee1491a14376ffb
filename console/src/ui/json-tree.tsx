/** JSON as a tree whose branches are made only once they are opened; long text and long lists are cut until asked for. */
import { useState } from 'react'
import { visible } from '@/lib/ansi'

const MOST_TEXT = 4096
const MOST_ENTRIES = 100

type Entry = readonly [string, unknown]

export function JsonTree({ value, name }: { readonly value: unknown; readonly name?: string }) {
  const entries = entriesOf(value)
  const label = name === undefined ? null : <span className="text-muted">{visible(name)}: </span>
  if (entries === null) return <div className="font-mono break-words whitespace-pre-wrap">{label}<Leaf value={value} /></div>
  return <Branch label={label} entries={entries} isList={Array.isArray(value)} isOpen={name === undefined} />
}

interface BranchProps {
  readonly label: React.ReactNode
  readonly entries: readonly Entry[]
  readonly isList: boolean
  readonly isOpen: boolean
}

function Branch({ label, entries, isList, isOpen: isOpenAtFirst }: BranchProps) {
  const [isOpen, setOpen] = useState(isOpenAtFirst)
  const [most, setMost] = useState(MOST_ENTRIES)
  return (
    <div className="font-mono">
      <button type="button" aria-expanded={isOpen} className="min-h-6 text-left" onClick={() => setOpen(!isOpen)}>
        <span aria-hidden="true">{isOpen ? '▾ ' : '▸ '}</span>
        {label}
        <span className="text-muted">{isList ? `[${entries.length}]` : `{${entries.length}}`}</span>
      </button>
      {isOpen ? (
        <div className="ml-4 border-l border-line pl-2">
          {entries.slice(0, most).map(([key, inner]) => <JsonTree key={key} name={key} value={inner} />)}
          {entries.length > most ? <button type="button" className="min-h-6 text-accent" onClick={() => setMost(most + 1000)}>{entries.length - most} more</button> : null}
        </div>
      ) : null}
    </div>
  )
}

function Leaf({ value }: { readonly value: unknown }) {
  const [isWhole, setWhole] = useState(false)
  if (typeof value !== 'string') return <span className="text-active">{String(value)}</span>
  if (isWhole || value.length <= MOST_TEXT) return <span>{visible(value)}</span>
  return (
    <span>
      {visible(value.slice(0, MOST_TEXT))}
      <button type="button" className="ml-1 text-accent" onClick={() => setWhole(true)}>… {value.length - MOST_TEXT} more characters</button>
    </span>
  )
}

function entriesOf(value: unknown): readonly Entry[] | null {
  return typeof value === 'object' && value !== null ? Object.entries(value) : null
}
