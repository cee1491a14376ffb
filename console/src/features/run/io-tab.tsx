/** What the run was given and what came of it. */
import { useQuery } from '@tanstack/react-query'
import { useAccess } from '@/features/access'
import { plain, visible } from '@/lib/ansi'
import { field, payloadOf } from '@/lib/event-words'
import { clock } from '@/lib/format'
import type { RunEvent } from '@/lib/run-source'
import { isTerminal, REASONS, type Run } from '@/lib/words'
import { CopyButton } from '@/ui/copy'
import { JsonTree } from '@/ui/json-tree'
import { pretty } from './inspector'
import { LongText } from './long-text'

const ENDS = 'message,run.completed,run.failed,artifact.created,diff'

export function IoTab({ run, rows, now }: { readonly run: Run; readonly rows: readonly RunEvent[]; readonly now: number }) {
  const answer = useAnswer(run, rows)
  return (
    <div className="h-full overflow-auto" tabIndex={0} role="region" aria-label="Input and output">
      <div className="grid gap-x-8 gap-y-6 p-4 lg:grid-cols-2">
        <div className="min-w-0 space-y-6">
          <h2 className="text-base font-semibold">Input</h2>
          <Block title="Goal" copy={run.goal}>{run.goal ? <LongText text={run.goal} /> : <None>Its options say everything.</None>}</Block>
          <Block title={run.backend === 'external' ? 'Options' : `Options of ${run.backend}`} copy={pretty(run.options)}><Tree value={run.options} none="None" /></Block>
          <Block title="Limits"><Tree value={run.limits} none="None" /></Block>
          <Block title="Retry"><Tree value={run.retry} /></Block>
          <Block title="Labels"><Tree value={run.labels} none="None" /></Block>
          <Block title="Metadata" copy={pretty(run.metadata)}><Tree value={run.metadata} none="None" /></Block>
        </div>
        <div className="min-w-0 space-y-6">
          <h2 className="text-base font-semibold">Output</h2>
          <Block title="How it ended"><Ending run={run} now={now} /></Block>
          <Block title="Last words" {...(answer ? { copy: answer } : {})}>{answer ? <LongText text={answer} /> : <None>{isTerminal(run.status) ? 'It left no message; the Terminal has what it wrote.' : 'Nothing yet.'}</None>}</Block>
          <Block title="Tokens"><Tree value={run.usage} /></Block>
        </div>
      </div>
    </div>
  )
}

/** What the agent said last: from what is held, else asked for, since a long run has it far from its end. */
function useAnswer(run: Run, rows: readonly RunEvent[]): string | null {
  const { client } = useAccess()
  const held = lastWords(rows)
  const isWhole = rows[0]?.seq === 1
  const asked = useQuery({
    queryKey: ['answer', run.id, run.status],
    enabled: held === null && !isWhole && rows.length > 0,
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const query = { after: Math.max(0, run.last_seq - 100_000), limit: 1000, types: ENDS }
      const { data } = await client.GET('/v1/runs/{run_id}/events', { params: { path: { run_id: run.id }, query }, signal })
      return lastWords(data?.items ?? [])
    },
  })
  return held ?? asked.data ?? null
}

function lastWords(rows: readonly RunEvent[]): string | null {
  for (let at = rows.length - 1; at >= 0; at--) {
    const event = rows[at]
    if (!event || !ENDS.includes(event.type)) continue
    const payload = payloadOf(event)
    const said = event.type === 'message' && payload['role'] !== 'user' ? field(payload, 'text') : event.type === 'run.completed' ? field(payload, 'output', 'result', 'message') : null
    if (said !== null) return said
  }
  return null
}

function Ending({ run, now }: { readonly run: Run; readonly now: number }) {
  if (!isTerminal(run.status)) return <None>It has not ended.</None>
  const facts: (readonly [string, string | null])[] = [
    ['Reason', run.reason === null ? null : REASONS[run.reason]], ['Message', run.message === null ? null : plain(run.message)],
    ['Exit code', run.exit_code === null ? null : String(run.exit_code)], ['Signal', run.signal === null ? null : String(run.signal)],
    ['Ended', run.ended_at === null ? null : clock(Date.parse(run.ended_at), now)],
  ]
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {facts.map(([name, value]) => (value === null ? null : <div key={name} className="contents"><dt className="text-muted">{name}</dt><dd className="break-words">{value}</dd></div>))}
    </dl>
  )
}

function Block({ title, copy, children }: { readonly title: string; readonly copy?: string; readonly children: React.ReactNode }) {
  return (
    <section>
      <div className="flex min-h-7 items-center gap-2 border-b border-line-soft"><h3 className="flex-1 text-xs font-semibold text-muted">{visible(title)}</h3>{copy ? <CopyButton text={copy} label={`Copy: ${title}`} /> : null}</div>
      <div className="pt-2">{children}</div>
    </section>
  )
}

function Tree({ value, none }: { readonly value: object; readonly none?: string }) {
  if (none !== undefined && Object.values(value).every((each) => each === null || each === undefined)) return <None>{none}</None>
  return <div className="text-xs leading-5"><JsonTree value={value} /></div>
}

function None({ children }: { readonly children: React.ReactNode }) {
  return <p className="text-muted">{children}</p>
}
