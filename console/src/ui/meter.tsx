/** How much of something is used, as a bar beside which the numbers stand. */

interface MeterProps {
  readonly label: string
  readonly value: number
  readonly most: number
}

export function Meter({ label, value, most }: MeterProps) {
  const share = most > 0 ? Math.min(1, value / most) : 0
  return (
    <span role="meter" aria-label={label} aria-valuenow={value} aria-valuemin={0} aria-valuemax={Math.max(most, value)} className="h-1.5 min-w-12 flex-1 overflow-hidden rounded-full bg-line">
      <span className={`block h-full rounded-full ${share >= 1 ? 'bg-attention' : 'bg-accent'}`} style={{ width: `${share * 100}%` }} />
    </span>
  )
}
