/** What all runs did: today, over time, and why. */
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { CostOverTime, RunsOverTime, WaitOverTime } from '@/features/charts/flow'
import { Freshness, Stale } from '@/features/charts/freshness'
import { useStats } from '@/features/charts/figures'
import { type Range, readRange } from '@/features/charts/range'
import { RangePicker } from '@/features/charts/range-picker'
import { Capacity } from '@/features/dashboard/capacity'
import { Cards, useCards } from '@/features/dashboard/cards'
import { Failures } from '@/features/dashboard/failures'
import { Lately, useLately } from '@/features/dashboard/lately'
import { readBy, Spend } from '@/features/dashboard/spend'
import { FirstRun } from '@/features/runs/first-run'
import { Page } from '@/ui/page'
import { Failure, Skeleton } from '@/ui/states'

const route = getRouteApi('/dashboard')

export default function DashboardPage() {
  const search = route.useSearch()
  const range = readRange(search, '24h')
  const navigate = useNavigate()
  const cards = useCards()
  const stats = useStats(range)
  const lately = useLately()
  const by = search.by === undefined ? {} : { by: search.by }
  const go = (chosen: Range) => void navigate({ to: '/dashboard', search: { ...chosen, ...by } })
  const reads = [cards, stats, lately] as const
  const actions = (
    <>
      <Freshness reads={reads} />
      <RangePicker range={range} onRange={go} onReset={() => void navigate({ to: '/dashboard', search: by })} />
    </>
  )
  return (
    <Page title="Dashboard" note={<Capacity />} actions={actions} notice={<Stale reads={reads} />}>
      {lately.data?.length === 0 ? <FirstRun onOpen={(id) => void navigate({ to: '/runs/$id', params: { id: String(id) } })} /> : (
        <div className="mx-auto flex max-w-[1440px] flex-col gap-3 p-4">
          <Cards cards={cards} />
          <OverTime stats={stats} range={range} onRange={go} onOpen={(q) => void navigate({ to: '/runs', search: { q } })} />
          <div className="grid gap-3 lg:grid-cols-5">
            <div className="grid lg:col-span-3"><Spend range={range} by={readBy(search.by)} onBy={(chosen) => void navigate({ to: '/dashboard', search: { ...search, by: chosen }, replace: true })} /></div>
            <div className="grid lg:col-span-2"><Lately lately={lately} /></div>
          </div>
        </div>
      )}
    </Page>
  )
}

interface OverTimeProps {
  readonly stats: ReturnType<typeof useStats>
  readonly range: Range
  readonly onRange: (range: Range) => void
  readonly onOpen: (query: string) => void
}

function OverTime({ stats, range, ...rest }: OverTimeProps) {
  // As high as the charts, so that nothing moves when they come.
  if (stats.isPending) return <div className="h-[572px]"><Skeleton rows={8} /></div>
  if (!stats.data) return <Failure error={stats.error} onRetry={() => void stats.refetch()} />
  const flow = { stats: stats.data, ...rest }
  return (
    <>
      <div className="grid gap-3 lg:grid-cols-3">
        <div className="grid lg:col-span-2"><RunsOverTime {...flow} /></div>
        <Failures range={range} />
      </div>
      <div className="grid gap-3 lg:grid-cols-2">
        <WaitOverTime {...flow} />
        <CostOverTime {...flow} />
      </div>
    </>
  )
}
