/** Projects as a table; a phone shows the columns that matter most. */
import { Link } from '@tanstack/react-router'
import { Pencil } from 'lucide-react'
import { visible } from '@/lib/ansi'
import { count, money, relative } from '@/lib/format'
import { format } from '@/lib/query'
import type { components } from '@/lib/schema'
import type { Project } from './data'

type Usage = components['schemas']['UsageLine']

interface ProjectTableProps {
  readonly projects: readonly Project[]
  /** Null while it is not known. */
  readonly usage: ReadonlyMap<string | null, Usage> | null
  readonly now: number
  readonly canEdit: boolean
  readonly onEdit: (project: Project) => void
}

const HEAD = 'sticky top-0 z-1 border-b border-line-soft bg-surface px-4 py-2 text-xs font-medium text-muted'
const CELL = 'border-b border-line-soft px-4 py-2'

export function ProjectTable({ projects, usage, now, canEdit, onEdit }: ProjectTableProps) {
  return (
    <table className="w-full table-fixed border-separate border-spacing-0">
      <caption className="sr-only">Projects</caption>
      <thead>
        <tr className="text-left">
          <th scope="col" className={`${HEAD} sm:w-1/3`}>Name</th>
          <th scope="col" className={`${HEAD} hidden sm:table-cell`}>Directory</th>
          <th scope="col" className={`${HEAD} w-28 text-right`}>Most at once</th>
          <th scope="col" className={`${HEAD} hidden w-28 text-right md:table-cell`} title="Runs that have ended, ever">Finished</th>
          <th scope="col" className={`${HEAD} hidden w-24 text-right md:table-cell`} title="Of all runs that have ended">Cost</th>
          <th scope="col" className={`${HEAD} hidden w-28 text-right lg:table-cell`}>Created</th>
          <th scope="col" className={`${HEAD} w-12`}><span className="sr-only">Edit</span></th>
        </tr>
      </thead>
      <tbody>
        {projects.map((project) => {
          const used = usage?.get(project.name)
          const name = visible(project.name)
          return (
            <tr key={project.id} className="h-9 hover:bg-hover">
              <th scope="row" className={`${CELL} truncate text-left font-medium`} title={name}>
                <Link to="/runs" search={{ q: format([{ field: 'project', values: [project.name], isNegated: false }]) }} className="rounded-sm hover:underline">{name}</Link>
              </th>
              <td className={`${CELL} hidden truncate sm:table-cell`} title={project.path ?? undefined}>{project.path === null ? <span className="text-muted">empty for each run</span> : <span className="font-mono text-xs">{visible(project.path)}</span>}</td>
              <td className={`${CELL} text-right`}>{project.settings.max_running ?? <span className="text-muted">no cap</span>}</td>
              <td className={`${CELL} hidden text-right md:table-cell`}>{usage === null ? '' : count(used?.figures.runs ?? 0)}</td>
              <td className={`${CELL} hidden text-right md:table-cell`}>{usage === null ? '' : used === undefined ? '–' : money(used.figures.cost_usd)}</td>
              <td className={`${CELL} hidden text-right text-muted lg:table-cell`} title={project.created_at}>{relative(Date.parse(project.created_at), now)}</td>
              <td className="border-b border-line-soft pr-2 text-right">
                {canEdit ? <button type="button" aria-label={`Edit ${name}`} title="Edit" onClick={() => onEdit(project)} className="inline-grid size-7 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"><Pencil aria-hidden="true" className="size-3.5" /></button> : null}
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
