/** The one place that knows uPlot: columns over time on a canvas, with a cursor, and a stretch that can be marked. */
import { useEffect, useEffectEvent, useMemo, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { type Column, type Kind, stacked, top } from './columns'
import './plot.css'
import { fill, ink, useTheme } from './theme'

export interface PlotProps {
  readonly kind: Kind
  readonly columns: readonly Column[]
  /** When stretches begin, in milliseconds, and how long each is. */
  readonly starts: readonly number[]
  readonly stepMs: number
  readonly height: number
  readonly marks: { readonly distances?: readonly number[]; readonly write: (value: number) => string }
  /** The stretch under the cursor; null where it is elsewhere. */
  readonly onHover: (at: number | null) => void
  readonly onOpen: (at: number) => void
  readonly onMark: (from: number, to: number) => void
}

const FONT = '11px system-ui, sans-serif'
const DAY_MS = 86_400_000
/** A press that moves no further is a click. */
const CLICK_PX = 4

export default function Plot({ kind, columns, starts, stepMs, height, marks, onHover, onOpen, onMark }: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const theme = useTheme()
  const look = columns.map(({ key, tone }) => `${key}=${tone}`).join()
  const data = useMemo(() => aligned(kind, columns, starts, stepMs), [kind, columns, starts, stepMs])
  const ends: readonly [number, number] = [(starts[0] ?? 0) / 1000, ((starts.at(-1) ?? 0) + stepMs) / 1000]
  const hover = useEffectEvent(onHover)
  const open = useEffectEvent((at: number) => { if (at < starts.length) onOpen(at) })
  const mark = useEffectEvent(onMark)
  const range = useEffectEvent(() => [ends[0], ends[1]] as [number, number])
  const made = useEffectEvent((element: HTMLElement) =>
    new uPlot(options({ element, kind, columns, stepMs, height, marks, hover, open, mark, range }), data, element))

  useEffect(() => {
    const element = box.current
    if (!element) return
    const drawn = (plot.current = made(element))
    const observer = new ResizeObserver(() => drawn.setSize({ width: Math.max(120, element.clientWidth), height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      drawn.destroy()
      plot.current = null
    }
  }, [kind, look, stepMs, height, theme])
  useEffect(() => plot.current?.setData(data), [data])

  return <div ref={box} aria-hidden="true" className="w-full overflow-hidden" style={{ height }} />
}

function aligned(kind: Kind, columns: readonly Column[], starts: readonly number[], stepMs: number): uPlot.AlignedData {
  // A bar fills its stretch, a line has its point in the middle of it.
  const times = starts.map((each) => (kind === 'bars' ? each : each + stepMs / 2) / 1000)
  // The highest bar is drawn first, so that the others cover its lower part.
  const values = kind === 'bars' ? stacked(columns).reverse() : columns.map((each) => [...each.values])
  return [times, ...values]
}

interface Drawing extends Pick<PlotProps, 'kind' | 'columns' | 'stepMs' | 'height' | 'marks'> {
  readonly element: HTMLElement
  readonly hover: PlotProps['onHover']
  readonly open: PlotProps['onOpen']
  readonly mark: PlotProps['onMark']
  readonly range: () => [number, number]
}

function options(drawing: Drawing): uPlot.Options {
  const { element, kind, columns, stepMs, height, range } = drawing
  const isDays = stepMs >= DAY_MS
  const shown = kind === 'bars' ? [...columns].reverse() : columns
  return {
    width: Math.max(120, element.clientWidth), height,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    ...(isDays ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') } : {}),
    scales: { x: { time: true, range }, y: { range: (_, __, most) => [0, top(most)] } },
    cursor: { y: false, points: { show: kind === 'lines', size: 6 }, drag: { x: true, y: false, setScale: false, dist: CLICK_PX } },
    axes: axes(drawing),
    series: [{}, ...shown.map((each) => series(element, kind, each))],
    hooks: hooks(drawing),
  }
}

function axes({ element, marks, stepMs }: Drawing): uPlot.Axis[] {
  const stroke = ink(element, 'muted')
  const line = { stroke: ink(element, 'line-soft'), width: 1 }
  return [
    { stroke, font: FONT, grid: { show: false }, ticks: { ...line, size: 4 }, size: 24, gap: 4, space: 64, values: (_, splits, __, ___, apart) => splits.map((each) => moment(each, apart, stepMs)) },
    {
      stroke, font: FONT, grid: line, ticks: { show: false }, gap: 6, space: 34,
      ...(marks.distances ? { incrs: [...marks.distances] } : {}),
      values: (_, splits) => splits.map(marks.write),
      size: (_, values) => 12 + 6.4 * Math.max(2, ...(values ?? []).map((each) => each.length)),
    },
  ]
}

const DAYS = { day: 'numeric', month: 'short' } as const
const HOURS = { hour: '2-digit', minute: '2-digit' } as const

// Days are those of UTC, as the server counts them; what is shorter is in the viewer's zone.
function moment(seconds: number, apart: number, stepMs: number): string {
  const isDays = stepMs >= DAY_MS
  const text = new Intl.DateTimeFormat('en-GB', isDays || apart * 1000 >= DAY_MS ? { ...DAYS, ...(isDays ? { timeZone: 'UTC' } : {}) } : HOURS).format(seconds * 1000)
  return text === '00:00' ? new Intl.DateTimeFormat('en-GB', DAYS).format(seconds * 1000) : text
}

/** Below this width of a stretch, gaps between bars would be noise. */
const NARROW_PX = 5
const [APART, CLOSE] = [0.82, 1].map((size) => uPlot.paths.bars?.({ size: [size, Infinity], align: 1 }))

const bars: uPlot.Series.PathBuilder = (u, ...rest) => {
  const [first, second] = u.data[0]
  const wide = first === undefined || second === undefined ? Infinity : u.valToPos(second, 'x') - u.valToPos(first, 'x')
  return (wide < NARROW_PX ? CLOSE : APART)?.(u, ...rest) ?? null
}

function series(element: HTMLElement, kind: Kind, { label, tone, dash }: Column): uPlot.Series {
  if (kind === 'bars') return { label, fill: fill(element, tone), width: 0, points: { show: false }, paths: bars }
  const stroke = ink(element, tone)
  return { label, stroke, width: 1.5, ...(dash ? { dash: [...dash] } : {}), points: { show: true, size: 4, fill: stroke, stroke, filter: alone } }
}

// A point between two gaps has no line that would show it.
function alone(u: uPlot, index: number): number[] {
  const values = u.data[index] ?? []
  const is = (at: number) => values[at] != null
  return Array.from(values.keys()).filter((at) => is(at) && !is(at - 1) && !is(at + 1))
}

function hooks({ stepMs, hover, open, mark, range }: Drawing): uPlot.Hooks.Arrays {
  // By stretch and not by the nearest point, which for the second half of a bar is the next one.
  const under = (u: uPlot) => {
    const left = u.cursor.left ?? -1
    return left < 0 ? null : Math.floor(((u.posToVal(left, 'x') - range()[0]) * 1000) / stepMs)
  }
  return {
    ready: [(u) => {
      let pressed = 0
      u.over.addEventListener('mousedown', (event) => { pressed = event.clientX })
      u.over.addEventListener('click', (event) => { const at = under(u); if (at !== null && Math.abs(event.clientX - pressed) < CLICK_PX) open(at) })
    }],
    setCursor: [(u) => hover(under(u))],
    setSelect: [(u) => {
      if (u.select.width < CLICK_PX) return
      const [first, last] = range()
      const at = (x: number) => Math.min(last, Math.max(first, u.posToVal(x, 'x'))) * 1000
      mark(at(u.select.left), at(u.select.left + u.select.width))
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
    }],
  }
}
