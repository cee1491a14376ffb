/** Four figures of today: value, change and trend, as the server words them. */
import { useQuery } from '@tanstack/react-query'
import { Link, linkOptions } from '@tanstack/react-router'
import { Activity, ArrowDownRight, ArrowRight, ArrowUpRight, Bot, Clock, DollarSign } from 'lucide-react'
import { useAccess } from '@/features/access'
import { OFTEN_MS } from '@/features/charts/figures'
import { every } from '@/features/polled'
import { plain } from '@/lib/ansi'
import type { components } from '@/lib/schema'
import { Failure } from '@/ui/states'

type Card = components['schemas']['MetricsCard']

const ICONS = { Bot, Activity, Clock, DollarSign } as const
const TRENDS = { up: ArrowUpRight, down: ArrowDownRight, neutral: ArrowRight } as const

/** Of which figures less is better; of how many agents or runs there are, neither is. */
const DEAR: Readonly<Record<string, true>> = { Clock: true, DollarSign: true }

export function useCards() {
  const { client } = useAccess()
  return useQuery({
    queryKey: ['cards'],
    queryFn: async ({ signal }) => (await client.GET('/api/v1/ui/stats', { signal })).data ?? [],
    ...every(OFTEN_MS),
  })
}

export function Cards({ cards }: { readonly cards: ReturnType<typeof useCards> }) {
  if (cards.data === undefined && cards.isError) return <Failure error={cards.error} onRetry={() => void cards.refetch()} />
  const shown: readonly (Card | null)[] = cards.data ?? [null, null, null, null]
  return (
    <ul aria-label="Today" className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {shown.map((card, at) => <li key={card?.title ?? at} className="min-w-0">{card ? <Figure card={card} /> : <Blank />}</li>)}
    </ul>
  )
}

const SHAPE = 'flex h-[92px] flex-col justify-between rounded-lg border border-line bg-surface px-3 py-3 sm:px-4'

function Figure({ card }: { readonly card: Card }) {
  const Icon = ICONS[card.icon as keyof typeof ICONS] ?? Activity
  const Trend = TRENDS[card.trend as keyof typeof TRENDS] ?? ArrowRight
  return (
    <Link {...target(card)} className={`${SHAPE} hover:border-muted`}>
      <span className="flex items-center gap-1.5 text-xs text-muted"><Icon aria-hidden="true" className="size-3.5 shrink-0" /><span className="truncate">{plain(card.title)}</span></span>
      <span className="truncate text-xl leading-6 font-semibold">{plain(card.value)}</span>
      <span className="flex items-center gap-0.5 text-xs text-muted sm:gap-1" title={plain(card.change)}>
        <Trend aria-label={card.trend} className={`size-3.5 shrink-0 ${tone(card)}`} /><span className="truncate">{plain(card.change)}</span>
      </span>
    </Link>
  )
}

function tone({ icon, trend }: Card): string {
  if (!DEAR[icon] || trend === 'neutral') return 'text-muted'
  return trend === 'down' ? 'text-good' : 'text-attention'
}

// The server's day is that of UTC.
function target({ icon }: Card) {
  const today = new Date().toISOString().slice(0, 10)
  if (icon === 'Activity') return linkOptions({ to: '/runs', search: { q: `since:${today}` } })
  if (icon === 'Clock') return linkOptions({ to: '/runs', search: { q: 'is:terminal since:1h' } })
  return linkOptions({ to: '/agents', search: icon === 'DollarSign' ? { since: today, sort: '-cost' } : { since: '2d' } })
}

function Blank() {
  return <div aria-hidden="true" className={SHAPE}>{['w-24', 'w-16', 'w-32'].map((each) => <span key={each} className={`h-3 animate-pulse rounded bg-raised ${each}`} />)}</div>
}
