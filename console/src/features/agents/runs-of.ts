/** The runs of an agent as a query. */
import { type Range, terms } from '@/features/charts/range'
import { format } from '@/lib/query'

/** Of all times where no range is given; then those created in it. */
export function runsOf(agent: string, range?: Range): string {
  const who = format([{ field: 'agent', values: [agent], isNegated: false }])
  return range ? `${who} ${terms(range)}` : who
}
