/** The projects: a workspace for runs each, with a cap of its own. */
import { Plus } from 'lucide-react'
import { useMemo, useState } from 'react'
import { useConfig } from '@/features/access'
import { AsOf, Unread } from '@/features/as-of'
import { type Project, useProjectPages, useProjectUsage } from '@/features/projects/data'
import { ProjectForm } from '@/features/projects/project-form'
import { ProjectTable } from '@/features/projects/project-table'
import { Button } from '@/ui/button'
import { useCommands } from '@/ui/commands'
import { Snippet } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { useNow } from '@/ui/now'
import { Page } from '@/ui/page'
import { Empty } from '@/ui/states'
import { useToast } from '@/ui/toast'

export default function ProjectsPage() {
  const now = useNow()
  const say = useToast()
  const { scope } = useConfig()
  const query = useProjectPages()
  const usage = useProjectUsage()
  const [edited, setEdited] = useState<Project | 'new' | null>(null)
  const isAdmin = scope === 'admin'
  useCommands(useMemo(() => (isAdmin ? [{ id: 'project.new', title: 'New project', keys: 'n', hint: 'New project', group: 'Projects', run: () => setEdited('new') }] : []), [isAdmin]))
  const projects = query.data?.pages.flatMap((page) => page.items) ?? []
  const saved = (project: Project) => {
    say(edited === 'new' ? `Project ${project.name} is made.` : `Project ${project.name} is saved.`)
    setEdited(null)
  }
  const actions = isAdmin ? <Button look="primary" onClick={() => setEdited('new')}><Plus aria-hidden="true" className="size-4" />New project</Button> : null
  const note = query.data ? `${projects.length}${query.hasNextPage ? '+' : ''}` : null
  return (
    <Page title="Projects" note={note} actions={actions} notice={<AsOf query={query} />}>
      {query.data ? null : <Unread query={query} />}
      {query.data && projects.length === 0 ? <NoProject /> : null}
      {projects.length ? <ProjectTable projects={projects} usage={usage.data ?? null} now={now} canEdit={isAdmin} onEdit={setEdited} /> : null}
      {query.hasNextPage ? <div className="p-4"><Button isBusy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Load more</Button></div> : null}
      <Editor edited={edited} onSaved={saved} onClose={() => setEdited(null)} />
    </Page>
  )
}

function NoProject() {
  return (
    <Empty title="No project yet">
      <p className="mb-3">A project gives its runs a directory and a cap.</p>
      <Snippet text="agentrunner project create shop --path /srv/shop" label="Create a project" />
    </Empty>
  )
}

interface EditorProps {
  readonly edited: Project | 'new' | null
  readonly onSaved: (project: Project) => void
  readonly onClose: () => void
}

function Editor({ edited, onSaved, onClose }: EditorProps) {
  const project = edited === 'new' ? null : edited
  return (
    <Dialog title={project ? `Project ${project.name}` : 'New project'} isOpen={edited !== null} onClose={onClose}>
      <ProjectForm project={project} onSaved={onSaved} onCancel={onClose} />
    </Dialog>
  )
}
