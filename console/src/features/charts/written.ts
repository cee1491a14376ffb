/** Shares, intervals and changes as people read them. */

const NONE = '–'

/** `92.6%`; what was not counted is a dash. */
export function percent(share: number | null | undefined, digits = 1): string {
  if (share == null || !Number.isFinite(share)) return NONE
  const scaled = share * 100
  // What is not whole is never written as all or nothing.
  if (share < 1 && scaled > 100 - 0.5 * 10 ** -digits) return `>${(100 - 10 ** -digits).toFixed(digits)}%`
  return `${share === 1 || share === 0 ? scaled : scaled.toFixed(digits)}%`
}

/** `89.7–94.8%`. */
export function interval(found: { readonly low: number; readonly high: number | null } | null): string {
  return found ? `${(found.low * 100).toFixed(1)}–${((found.high ?? 1) * 100).toFixed(1)}%` : NONE
}

/** `+12%`, `−8%`, `±0%`; null where there is nothing to compare with. */
export function change(from: number | null | undefined, to: number | null | undefined): string | null {
  if (from == null || to == null || from === 0) return null
  const share = Math.round(((to - from) / from) * 100)
  if (share === 0) return '±0%'
  return `${share > 0 ? '+' : '−'}${Math.abs(share).toLocaleString('en-US')}%`
}

/** `4,816`. */
export const whole = (value: number) => Math.trunc(value).toLocaleString('en-US')
