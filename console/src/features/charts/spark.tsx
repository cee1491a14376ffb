/** Runs over time in the height of a row: how many ended, and how many of them failed. */
import { buckets } from './buckets'
import type { Stretch } from './stretches'

const WIDTH = 96
const HEIGHT = 20
const MOST = 32

export function Spark({ stretches }: { readonly stretches: readonly Stretch[] }) {
  const shown = buckets(stretches, MOST)
  const most = Math.max(1, ...shown.map((each) => each.runs))
  const wide = WIDTH / Math.max(1, shown.length)
  const failed = shown.reduce((sum, each) => sum + each.failed, 0)
  const runs = shown.reduce((sum, each) => sum + each.runs, 0)
  return (
    <svg role="img" aria-label={`${runs} runs over time, ${failed} of them failed; at most ${most} at once`} width={WIDTH} height={HEIGHT} className="block">
      {shown.map((each, at) => {
        const height = (each.runs / most) * HEIGHT
        const bad = (each.failed / most) * HEIGHT
        return (
          <g key={at}>
            <rect x={at * wide} y={HEIGHT - Math.max(height, each.runs > 0 ? 1.5 : 0.5)} width={Math.max(1, wide - 1)} height={Math.max(height, each.runs > 0 ? 1.5 : 0.5)} className={each.runs > 0 ? 'fill-control' : 'fill-line'} />
            {each.failed > 0 ? <rect x={at * wide} y={HEIGHT - height} width={Math.max(1, wide - 1)} height={Math.max(1.5, bad)} className="fill-bad" /> : null}
          </g>
        )
      })}
    </svg>
  )
}
