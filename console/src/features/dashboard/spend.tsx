/** Who used what: cost and tokens by agent, version or project, the dearest first. */
import { Link } from '@tanstack/react-router'
import { type Asked, useUsage } from '@/features/charts/figures'
import { Panel } from '@/features/charts/panel'
import { type Range, terms } from '@/features/charts/range'
import { percent, whole } from '@/features/charts/written'
import { plain } from '@/lib/ansi'
import { count, money, tokens } from '@/lib/format'
import { format } from '@/lib/query'
import type { components } from '@/lib/schema'
import { Failure, Skeleton } from '@/ui/states'

type Line = components['schemas']['UsageLine']
export type By = NonNullable<Asked['by']>

const BYS: readonly { readonly by: By; readonly label: string }[] = [{ by: 'agent', label: 'Agent' }, { by: 'version', label: 'Version and model' }, { by: 'project', label: 'Project' }]
const MOST = 50

export function readBy(text: string | undefined): By {
  return BYS.find((each) => each.by === text)?.by ?? 'agent'
}

export function Spend({ range, by, onBy }: { readonly range: Range; readonly by: By; readonly onBy: (by: By) => void }) {
  const usage = useUsage({ ...range, by })
  const choice = (
    <div role="group" aria-label="Tell apart by" className="flex gap-1">
      {BYS.map((each) => (
        <button key={each.by} type="button" aria-pressed={each.by === by} onClick={() => onBy(each.by)} className="min-h-6 rounded px-2 text-xs text-muted hover:text-ink aria-pressed:bg-raised aria-pressed:font-semibold aria-pressed:text-ink">
          {each.label}
        </button>
      ))}
    </div>
  )
  return (
    <Panel title="Cost and tokens" actions={choice} className="min-h-72">
      {usage.isPending ? <Skeleton rows={6} /> : !usage.data ? <Failure error={usage.error} onRetry={() => void usage.refetch()} /> : (
        <Lines lines={usage.data.items} total={usage.data.total} leftOff={usage.data.left_off} by={by} range={range} />
      )}
    </Panel>
  )
}

interface LinesProps {
  readonly lines: readonly Line[]
  readonly total: Line['figures']
  readonly leftOff: number
  readonly by: By
  readonly range: Range
}

function Lines({ lines, total, leftOff, by, range }: LinesProps) {
  const shown = lines.slice(0, MOST)
  const most = Math.max(...shown.map((each) => each.figures.cost_usd), 0)
  const rest = lines.length - shown.length + leftOff
  if (shown.length === 0) return <p className="grid flex-1 place-items-center text-muted">No run has ended in this time.</p>
  return (
    <div className="max-h-80 overflow-auto" tabIndex={0} role="group" aria-label="Cost and tokens">
      <table className="w-full text-sm">
        <thead className="sticky top-0 bg-surface text-xs text-muted">
          <tr className="h-7 whitespace-nowrap">
            <th scope="col" className="pl-4 text-left font-medium">{BYS.find((each) => each.by === by)?.label}</th>
            <th scope="col" className="px-2 text-right font-medium">Cost</th>
            <th scope="col" className="hidden px-2 text-left font-medium sm:table-cell"><span className="sr-only">Share of the cost</span></th>
            <th scope="col" className="px-2 text-right font-medium">Per success</th>
            <th scope="col" className="hidden px-2 text-right font-medium md:table-cell">Tokens in</th>
            <th scope="col" className="hidden px-2 text-right font-medium md:table-cell">Out</th>
            <th scope="col" className="pr-4 text-right font-medium">Runs</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((line) => <Row key={JSON.stringify([line.agent, line.version, line.project])} line={line} by={by} range={range} most={most} all={total.cost_usd} />)}
          {rest > 0 ? <tr className="h-8 border-t border-line-soft"><td colSpan={7} className="pl-4 text-xs text-muted">{whole(rest)} more cost less than these.</td></tr> : null}
        </tbody>
      </table>
    </div>
  )
}

interface RowProps {
  readonly line: Line
  readonly by: By
  readonly range: Range
  readonly most: number
  readonly all: number
}

function Row({ line, by, range, most, all }: RowProps) {
  const { figures } = line
  const incoming = figures.usage.input_tokens + figures.usage.cache_read_tokens + figures.usage.cache_write_tokens
  return (
    <tr className="h-8 border-t border-line-soft hover:bg-hover">
      <th scope="row" className="w-2/5 max-w-0 truncate pl-4 text-left font-normal"><Name line={line} by={by} range={range} /></th>
      <td className="px-2 text-right">{money(figures.cost_usd)}</td>
      <td className="hidden w-28 px-2 sm:table-cell" title={percent(all > 0 ? figures.cost_usd / all : null)}>
        <span aria-hidden="true" className="block h-1 rounded-full bg-accent" style={{ width: `${most > 0 ? (figures.cost_usd / most) * 100 : 0}%` }} />
        <span className="sr-only">{percent(all > 0 ? figures.cost_usd / all : null)}</span>
      </td>
      <td className="px-2 text-right">{money(figures.cost_per_success_usd)}</td>
      <td className="hidden px-2 text-right md:table-cell" title={`${whole(figures.usage.cache_read_tokens)} of them read from the cache`}>{count(incoming || null)}</td>
      <td className="hidden px-2 text-right md:table-cell" title={`${whole(tokens(figures.usage))} tokens in all`}>{count(figures.usage.output_tokens || null)}</td>
      <td className="pr-4 text-right">{whole(figures.runs)}</td>
    </tr>
  )
}

function Name({ line, by, range }: Pick<RowProps, 'line' | 'by' | 'range'>) {
  const { agent, version, project, models } = line
  if (by === 'project') {
    return project === null ? <span className="text-muted">No project</span> : <Link to="/runs" search={{ q: `${format([{ field: 'project', values: [project], isNegated: false }])} ${terms(range)}` }} className="inline-block max-w-full truncate align-middle leading-7 hover:underline" title={plain(project)}>{plain(project)}</Link>
  }
  if (agent === null) return <span className="text-muted">Runs without an agent</span>
  const text = by === 'version' && version !== null ? `${agent} ${version}` : agent
  return (
    <>
      <Link to="/agents" search={{ ...range, agent }} className="inline-block max-w-full truncate align-middle leading-7 hover:underline" title={plain(text)}>{plain(text)}</Link>
      {by === 'version' && models.length > 0 ? <span className="ml-2 text-xs text-muted">{plain(models.join(', '))}</span> : null}
    </>
  )
}
