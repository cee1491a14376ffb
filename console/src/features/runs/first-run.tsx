/** No runs yet: three ways to begin, to copy, and one that needs nothing but a press. */
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Play, Plus } from 'lucide-react'
import { newKey } from '@/lib/http'
import type { components } from '@/lib/schema'
import { Button, buttonClass } from '@/ui/button'
import { Snippet } from '@/ui/copy'
import { useToast } from '@/ui/toast'
import { useAccess } from '../access'

type NewRun = components['schemas']['NewRun']

// What is left away has its default; the schema marks those as there, as they are in answers.
const DEMO = { backend: 'demo', title: 'A first run', goal: 'Show what a run looks like' } satisfies Partial<NewRun>
const CLI = "agentrunner run -- sh -c 'for i in 1 2 3; do echo step $i; sleep 1; done'"

export function FirstRun({ onOpen }: { readonly onOpen: (id: number) => void }) {
  const { client } = useAccess()
  const say = useToast()
  const demo = useMutation({
    mutationFn: async (key: string) => (await client.POST('/v1/runs', {
      params: { header: { 'Idempotency-Key': key } },
      body: DEMO as NewRun,
    })).data,
    onSuccess: (made) => { if (made && 'id' in made) onOpen(made.id) },
    onError: (error) => say(error.message, true),
  })
  const curl = `curl -H "Authorization: Bearer $TOKEN" ${location.origin}/v1/runs \\\n  --json '{"backend": "command", "options": {"argv": ["echo", "hello"]}}'`
  return (
    <section className="min-h-0 w-full flex-1 overflow-auto">
      <div className="mx-auto max-w-2xl p-6 sm:p-10">
        <h2 className="text-lg font-semibold">No runs yet</h2>
        <p className="mt-1 text-muted">A run is one agent at work, from the queue to its end. Whatever starts it, it shows up here by itself.</p>
        <h3 className="mt-5 mb-1.5 font-semibold">In a terminal</h3>
        <Snippet text={CLI} label="command that starts a run" />
        <h3 className="mt-4 mb-1.5 font-semibold">Over HTTP</h3>
        <Snippet text={curl} label="request that starts a run" />
        <h3 className="mt-4 mb-1.5 font-semibold">Here</h3>
        <div className="flex flex-wrap gap-2">
          <Link to="/runs/new" className={buttonClass('primary')}><Plus aria-hidden="true" className="size-4" />New run</Link>
          <Button isBusy={demo.isPending} onClick={() => demo.mutate(newKey())}><Play aria-hidden="true" className="size-4" />Start a demonstration run</Button>
        </div>
      </div>
    </section>
  )
}
