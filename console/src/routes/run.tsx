/** One run; everything that is chosen on its page stands in the address. */
import { getRouteApi, useLocation, useNavigate } from '@tanstack/react-router'
import { type Place, RunView, VIEWS } from '@/features/run/view'
import { Empty } from '@/ui/states'
import { useNow } from '@/ui/now'

const route = getRouteApi('/runs/$id')

export default function RunPage() {
  const { id } = route.useParams()
  const { view, seq, attempt, q } = route.useSearch()
  const hash = useLocation({ select: (location) => location.hash })
  const navigate = useNavigate()
  const now = useNow()
  if (!/^[1-9][0-9]{0,15}$/.test(id)) return <Empty title="Not found">A run is named by its number.</Empty>
  const place: Place = {
    // A link to a line means the view that has lines.
    view: VIEWS.find((each) => each.key === view)?.key ?? (hash.startsWith('L') ? 'terminal' : 'timeline'),
    seq: positive(seq), attempt: positive(attempt), text: q ?? '', hash,
  }
  const change = (part: Partial<Place>) => {
    const next = { ...place, ...part }
    void navigate({
      to: '/runs/$id', params: { id }, hash: next.hash, replace: true, resetScroll: false, hashScrollIntoView: false,
      search: {
        ...(next.view === 'timeline' ? {} : { view: next.view }), ...(next.seq === null ? {} : { seq: String(next.seq) }),
        ...(next.attempt === null ? {} : { attempt: String(next.attempt) }), ...(next.text === '' ? {} : { q: next.text }),
      },
    })
  }
  return <RunView key={id} id={Number(id)} now={now} place={place} onPlace={change} />
}

function positive(text: string | undefined): number | null {
  return text !== undefined && /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : null
}
