/** Agents with their figures; one of them with its versions. */
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { AgentDetail, useAgent } from '@/features/agents/agent'
import { Agents, useAgents } from '@/features/agents/list'
import { readOrder } from '@/features/agents/order'
import { Freshness, Stale } from '@/features/charts/freshness'
import { type Range, readRange } from '@/features/charts/range'
import { RangePicker } from '@/features/charts/range-picker'
import { plain } from '@/lib/ansi'
import { Page } from '@/ui/page'

const route = getRouteApi('/agents')
const USUAL = '7d'

export default function AgentsPage() {
  const { agent } = route.useSearch()
  return agent === undefined ? <All /> : <One key={agent} agent={agent} />
}

function useRange() {
  const { since, until, ...rest } = route.useSearch()
  const navigate = useNavigate()
  const range = readRange({ ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) }, USUAL)
  const go = (chosen: Range) => void navigate({ to: '/agents', search: { ...rest, ...chosen } })
  return { range, go, picker: <RangePicker range={range} onRange={go} onReset={() => void navigate({ to: '/agents', search: rest })} /> }
}

function All() {
  const search = route.useSearch()
  const navigate = useNavigate()
  const { range, picker } = useRange()
  const agents = useAgents(range)
  const reads = [agents.usage, agents.trend, agents.known] as const
  return (
    <Page title="Agents" actions={<><Freshness reads={reads} />{picker}</>} notice={<Stale reads={reads} />}>
      <Agents agents={agents} range={range} order={readOrder(search.sort)} onSort={(sort) => void navigate({ to: '/agents', search: { ...search, sort }, replace: true })} />
    </Page>
  )
}

function One({ agent }: { readonly agent: string }) {
  const search = route.useSearch()
  const navigate = useNavigate()
  const { range, go, picker } = useRange()
  const read = useAgent(agent, range)
  const reads = [read.stats, read.usage, read.known] as const
  const { a, b, sort } = search
  const back = <Link to="/agents" search={range} className="inline-flex min-h-6 items-center text-accent hover:underline">All agents</Link>
  return (
    <Page title={plain(agent)} note={back} actions={<><Freshness reads={reads} />{picker}</>} notice={<Stale reads={reads} />}>
      <AgentDetail
        name={agent} read={read} range={range} search={{ order: readOrder(sort ?? '-seen'), ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }} onRange={go}
        onSearch={(more) => void navigate({ to: '/agents', search: { ...search, ...more }, replace: true })} onOpen={(q) => void navigate({ to: '/runs', search: { q } })}
      />
    </Page>
  )
}
