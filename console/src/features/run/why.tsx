/** Why the run is where it is, in the server's words; shown wherever that is not plain from its state. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useAccess } from '@/features/access'
import { plain } from '@/lib/ansi'
import { relative } from '@/lib/format'
import { describe, isTerminal, type Run } from '@/lib/words'

const LOOKS = { attention: 'border-l-attention', bad: 'border-l-bad', waiting: 'border-l-waiting', neutral: 'border-l-line', active: 'border-l-active', good: 'border-l-good' } as const

export function Why({ run, now }: { readonly run: Run; readonly now: number }) {
  const { client } = useAccess()
  const { tone, meaning } = describe(run)
  const isPlain = tone === 'active' || tone === 'good'
  const why = useQuery({
    queryKey: ['explain', run.id, run.status, run.phase, run.hold, run.desired, run.attempt],
    enabled: !isPlain,
    staleTime: 15_000,
    queryFn: async ({ signal }) => (await client.GET('/v1/runs/{run_id}/explain', { params: { path: { run_id: run.id } }, signal })).data ?? null,
  })
  if (isPlain) return null
  const because = [...(why.data?.because ?? []), why.data?.what_to_do].filter((each) => each != null)
  const until = run.hold_until === null ? '' : ` Next try ${relative(Date.parse(run.hold_until), now)}.`
  // Of an end the server says the reason's name, which we have in words.
  const told = isTerminal(run.status) ? meaning : (why.data?.summary ?? meaning)
  return (
    <section aria-label="Why" className={`shrink-0 border-b border-l-4 border-b-line-soft bg-raised px-3 py-1.5 ${LOOKS[tone]}`}>
      <Sentences told={plain(told) + until} because={because.map(plain)} />
    </section>
  )
}

function Sentences({ told, because }: { readonly told: string; readonly because: readonly string[] }) {
  const [isOpen, setOpen] = useState(false)
  const [first] = because
  const more = isOpen ? 'Less' : because.length > 1 ? `${because.length - 1} more` : 'Whole'
  return (
    <>
      <p className="flex items-baseline gap-x-2">
        <span className="shrink-0 font-medium">{told}</span>
        {first === undefined || isOpen ? null : <span className="min-w-0 truncate text-muted"><Words text={first} /></span>}
        {because.length > 1 || (first?.length ?? 0) > 80 ? <button type="button" aria-expanded={isOpen} className="min-h-6 shrink-0 text-accent hover:underline" onClick={() => setOpen(!isOpen)}>{more}</button> : null}
      </p>
      {isOpen ? <ul className="mt-1 list-disc space-y-0.5 pl-5 break-words text-muted">{because.map((each) => <li key={each}><Words text={each} /></li>)}</ul> : null}
    </>
  )
}

/** What stands between backquotes is a command. */
function Words({ text }: { readonly text: string }) {
  return text.split('`').map((part, at) => (at % 2 === 1 ? <code key={at} className="font-mono text-xs">{part}</code> : part))
}
