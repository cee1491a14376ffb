/** Where a query is typed: it marks a mistake at once and offers what could come next. */
import { useQuery } from '@tanstack/react-query'
import { CircleHelp, Search, X } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useId, useState } from 'react'
import { type Field, format, parse, QueryError } from '@/lib/query'
import { completed, type Completion, completions, placeAt } from '@/lib/query-complete'
import { useAccess } from '../access'

interface QueryBoxProps {
  readonly input: RefObject<HTMLInputElement | null>
  readonly q: string
  readonly onSearch: (q: string) => void
  /** The arrow down, where there is nothing to choose: on to the rows. */
  readonly onLeave: () => void
}

/** Keyed by `q` by its caller, so that another query begins with its own text. */
export function QueryBox(props: QueryBoxProps) {
  const { typed, isOpen, offered, problem, chosen, setCaret, change, choose, search, press } = useTyping(props)
  const { input } = props
  const id = useId()
  const active = isOpen && chosen >= 0 ? `${id}-${chosen}` : undefined
  return (
    <form role="search" className="relative min-w-0 flex-1" onSubmit={(event) => { event.preventDefault(); search(typed) }}>
      <Search aria-hidden="true" className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted" />
      <input
        ref={input} role="combobox" aria-label="Search runs" aria-expanded={isOpen && offered.length > 0} aria-controls={`${id}-list`} aria-autocomplete="list" aria-activedescendant={active}
        aria-invalid={problem !== null} aria-describedby={`${id}-problem`} placeholder="Words or status:failed …" spellCheck={false} autoComplete="off" autoCapitalize="off" enterKeyHint="search"
        className="field w-full pr-9 pl-8 font-mono text-[13px]" value={typed}
        onChange={(event) => change(event.target.value, event.target.selectionStart)}
        onClick={(event) => setCaret(event.currentTarget.selectionStart)} onKeyUp={(event) => { if (/^(Arrow(Left|Right)|Home|End)$/.test(event.key)) setCaret(event.currentTarget.selectionStart) }}
        onBlur={() => setCaret(null)} onKeyDown={press}
      />
      {typed ? <button type="button" aria-label="Clear the search" onClick={() => { change('', null); props.onSearch('') }} className="absolute top-0.5 right-0.5 grid size-7 place-items-center rounded text-muted hover:bg-hover hover:text-ink"><X aria-hidden="true" className="size-4" /></button> : null}
      <Offers id={id} isOpen={isOpen} problem={problem} offered={offered} chosen={chosen} onChoose={choose} />
    </form>
  )
}

function useTyping({ input, q, onSearch, onLeave }: QueryBoxProps) {
  const [typed, setTyped] = useState(q)
  const [caret, setCaret] = useState<number | null>(null)
  const [chosen, setChosen] = useState(-1)
  const [wasTried, setTried] = useState(false)
  const place = caret === null ? null : placeAt(typed, caret)
  const known = useKnown(place?.field ?? null)
  const offered = place ? completions(place, known) : []
  // What is only not finished yet is no mistake, until somebody searches for it.
  const problem = offered.length > 0 && !wasTried ? null : mistake(typed)
  const isOpen = caret !== null && (offered.length > 0 || problem !== null)
  const change = (text: string, at: number | null) => {
    setTyped(text)
    setCaret(at)
    setChosen(-1)
    setTried(false)
  }
  const choose = (each: Completion | undefined) => {
    if (!each || !place) return
    const next = completed(typed, place, each)
    change(next.text, next.caret)
    requestAnimationFrame(() => input.current?.setSelectionRange(next.caret, next.caret))
  }
  const search = (text: string) => {
    if (mistake(text) !== null) return setTried(true)
    setCaret(null)
    onSearch(format(parse(text)))
  }
  const keys: Readonly<Record<string, (() => void) | undefined>> = {
    ArrowDown: () => (isOpen ? setChosen(Math.min(chosen + 1, offered.length - 1)) : onLeave()),
    ArrowUp: isOpen ? () => setChosen(Math.max(chosen - 1, -1)) : undefined,
    Tab: isOpen && chosen >= 0 ? () => choose(offered[chosen]) : undefined,
    Enter: () => (chosen >= 0 ? choose(offered[chosen]) : search(typed)),
    Escape: () => (isOpen ? setCaret(null) : input.current?.blur()),
  }
  const press = (event: KeyboardEvent) => {
    const act = event.shiftKey ? undefined : keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  return { typed, isOpen, offered, problem, chosen, setCaret, change, choose, search, press }
}

interface OffersProps {
  readonly id: string
  readonly isOpen: boolean
  readonly problem: string | null
  readonly offered: readonly Completion[]
  readonly chosen: number
  readonly onChoose: (each: Completion) => void
}

function Offers({ id, isOpen, problem, offered, chosen, onChoose }: OffersProps) {
  return (
    <div className={`absolute top-full left-0 z-20 mt-1 w-full max-w-xl rounded-lg border border-line bg-surface p-1 shadow-lg ${isOpen ? '' : 'hidden'}`}>
      <p id={`${id}-problem`} role="status" className="px-2 py-1 text-bad empty:hidden">{problem}</p>
      <ul id={`${id}-list`} role="listbox" aria-label="What could come next" className="max-h-72 overflow-auto">
        {offered.map((each, at) => (
          <li
            key={each.text} id={`${id}-${at}`} role="option" aria-selected={at === chosen} onPointerDown={(event) => { event.preventDefault(); onChoose(each) }}
            className={`flex min-h-7 cursor-pointer items-center gap-3 rounded-md px-2 ${at === chosen ? 'bg-selected' : 'hover:bg-hover'}`}
          >
            <span className="font-mono">{each.text}</span><span className="truncate text-muted">{each.hint}</span>
          </li>
        ))}
      </ul>
      <p className="mt-1 flex items-center gap-1.5 border-t border-line-soft px-2 pt-1 text-xs text-muted"><CircleHelp aria-hidden="true" className="size-3.5 shrink-0" />All terms have to match · a,b either · -not · &quot;two words&quot; · Enter searches</p>
    </div>
  )
}

/** Why a text is no query; null where it is one. */
export function mistake(text: string): string | null {
  try {
    parse(text)
    return null
  } catch (error) {
    return error instanceof QueryError ? error.message.replace(/^`q`, c/, 'C') : String(error)
  }
}

/** The names that a field can take, read once somebody types it. */
function useKnown(field: Field | null): readonly string[] {
  const { client } = useAccess()
  const noun = field === 'agent' || field === 'project' || field === 'worker' || field === 'backend' ? field : null
  const names = useQuery({
    queryKey: ['names', noun],
    enabled: noun !== null,
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      if (noun === 'agent') return (await client.GET('/v1/agents', { signal })).data?.items.map((each) => each.name) ?? []
      if (noun === 'project') return (await client.GET('/v1/projects', { signal })).data?.items.map((each) => each.name) ?? []
      if (noun === 'backend') return (await client.GET('/v1/backends', { signal })).data?.items.map((each) => each.name) ?? []
      return (await client.GET('/v1/workers', { signal })).data?.items.map((each) => each.id) ?? []
    },
  })
  return [...new Set(names.data ?? [])]
}
