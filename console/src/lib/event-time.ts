/** An event's time, as many rows show it at once: from the run's beginning, or by the clock of the viewer's zone. */

const two = (value: number) => String(Math.floor(value)).padStart(2, '0')

/** `0:04.2`, `12:03.0`, `1:02:03`: how long after the beginning; `−` before it. */
export function sinceStart(ms: number): string {
  const at = Math.abs(ms) / 1000
  const sign = ms <= -50 ? '−' : ''
  if (at >= 3600) return `${sign}${Math.floor(at / 3600)}:${two((at % 3600) / 60)}:${two(at % 60)}`
  const tenths = Math.floor(at * 10) / 10
  return `${sign}${Math.floor(tenths / 60)}:${two(tenths % 60)}.${Math.floor(tenths * 10 + 0.5) % 10}`
}

/** `12:03:11.4` in the viewer's zone. */
export function timeOfDay(ms: number): string {
  const date = new Date(ms)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${Math.floor(date.getMilliseconds() / 100)}`
}
