/** Two versions side by side: figures with a verdict in words, then the settings that differ. */
import { ArrowLeftRight, CircleCheck, CircleHelp, CircleX } from 'lucide-react'
import { useId } from 'react'
import { Panel } from '@/features/charts/panel'
import type { Figures } from '@/features/charts/stretches'
import { plain } from '@/lib/ansi'
import { type Difference, differences, settings, type Verdict } from './differences'
import type { Version } from './versions'

interface CompareProps {
  readonly versions: readonly Version[]
  readonly a: Version
  readonly b: Version
  readonly onChoose: (a: string, b: string) => void
}

export function Compare({ versions, a, b, onChoose }: CompareProps) {
  return (
    <Panel title="Side by side" note="figures of the time above">
      <div className="overflow-x-auto">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b border-line align-bottom">
              <th scope="col" className="pb-2 pl-4 text-left md:w-44"><span className="sr-only">Figure</span></th>
              <th scope="col" className="min-w-20 px-1 pb-2 text-right md:min-w-32 md:px-2"><Choice label="First version" versions={versions} chosen={a} other={b} onChoose={(name) => onChoose(name, b.name)} /></th>
              <th scope="col" className="min-w-20 px-1 pb-2 text-right max-md:pr-4 md:min-w-32 md:px-2"><Choice label="Second version" versions={versions} chosen={b} other={a} onChoose={(name) => onChoose(a.name, name)} /></th>
              <th scope="col" className="hidden pr-4 pb-2 pl-4 text-left font-medium md:table-cell">
                <button type="button" className="inline-flex min-h-7 items-center gap-1.5 rounded text-xs text-muted hover:text-ink" onClick={() => onChoose(b.name, a.name)}>
                  <ArrowLeftRight aria-hidden="true" className="size-3.5" />Swap
                </button>
              </th>
            </tr>
          </thead>
          {a.figures && b.figures ? <Measured a={a.figures} b={b.figures} /> : (
            <tbody><tr><td colSpan={4} className="px-4 py-6 text-center text-muted">No run of {plain([a, b].filter((each) => !each.figures).map((each) => each.name).join(' and '))} has ended in this time. Choose a longer one.</td></tr></tbody>
          )}
          {a.made && b.made ? <Settings a={a.made} b={b.made} /> : null}
        </table>
      </div>
    </Panel>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly versions: readonly Version[]
  readonly chosen: Version
  readonly other: Version
  readonly onChoose: (name: string) => void
}

function Choice({ label, versions, chosen, other, onChoose }: ChoiceProps) {
  const id = useId()
  return (
    <>
      <label htmlFor={id} className="sr-only">{label}</label>
      <select id={id} className="field w-full max-w-52 text-right font-mono text-xs" value={chosen.name} onChange={(event) => onChoose(event.target.value)}>
        {versions.filter((each) => each.name !== other.name).map(({ name }) => <option key={name} value={name}>{plain(name)}</option>)}
      </select>
    </>
  )
}

function Measured({ a, b }: { readonly a: Figures; readonly b: Figures }) {
  return (
    <tbody>
      {differences(a, b).map((each) => (
        <tr key={each.label} className="h-9 border-b border-line-soft align-top">
          <th scope="row" className="py-2 pl-4 text-left font-normal text-muted">{each.label}<span className="block text-xs md:hidden"><Judged difference={each} isShort /></span></th>
          <td className="px-1 py-2 text-right md:px-2">{each.a}<Note text={each.notes?.[0]} /></td>
          <td className="px-1 py-2 text-right max-md:pr-4 md:px-2">{each.b}<Note text={each.notes?.[1]} /></td>
          <td className="hidden py-2 pr-4 pl-4 md:table-cell"><Judged difference={each} /></td>
        </tr>
      ))}
    </tbody>
  )
}

function Note({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <span className="block text-xs whitespace-nowrap text-muted">{text}</span>
}

const LOOKS = {
  better: [CircleCheck, 'text-good'],
  worse: [CircleX, 'text-bad'],
  unclear: [CircleHelp, 'text-muted'],
} as const satisfies Record<Exclude<Verdict, null>, unknown>

function Judged({ difference: { change, verdict, word, why }, isShort = false }: { readonly difference: Difference; readonly isShort?: boolean }) {
  if (verdict === null) return <span className="text-muted" title={why}>{change ?? '–'}</span>
  const [Icon, color] = LOOKS[verdict]
  return (
    <>
      <span className={`flex items-center gap-1.5 whitespace-nowrap ${color}`}><Icon aria-hidden="true" className="size-3.5 shrink-0" />{change === null ? null : <span>{change},</span>}<span className={verdict === 'unclear' ? '' : 'font-medium'}>{word}</span></span>
      {why && !isShort ? <span className="block text-xs text-muted">{why}</span> : null}
    </>
  )
}

function Settings({ a, b }: { readonly a: NonNullable<Version['made']>; readonly b: NonNullable<Version['made']> }) {
  const { differing, alike } = settings(a, b)
  return (
    <tbody>
      <tr><th scope="rowgroup" colSpan={4} className="pt-4 pb-1 pl-4 text-left text-xs font-semibold">{differing.length > 0 ? 'What is different about them' : 'They are made alike, as far as they said'}</th></tr>
      {differing.map((each) => (
        <tr key={each.name} className="border-t border-line-soft align-top">
          <th scope="row" className="py-2 pl-4 text-left font-normal text-muted">{plain(each.name)}</th>
          {[each.a, each.b].map((value, at) => <td key={at} className={`max-w-60 px-1 py-2 text-right font-mono text-xs break-words md:px-2 ${at === 1 ? 'max-md:pr-4' : ''}`}>{value === null ? <span className="text-muted">not set</span> : plain(value).slice(0, 400)}</td>)}
          <td className="hidden md:table-cell" />
        </tr>
      ))}
      {alike > 0 ? <tr><td colSpan={4} className="px-4 pt-1 pb-3 text-xs text-muted">{alike} more {alike === 1 ? 'is' : 'are'} the same in both.</td></tr> : null}
    </tbody>
  )
}
