/** Text of any length: its beginning, and the rest on demand. */
import { useState } from 'react'
import { visible } from '@/lib/ansi'
import { AnsiLine, Marked } from './ansi-line'

const MOST = 4096
const MOST_LINES = 500

export function LongText({ text, mark = '', isCode = false }: { readonly text: string; readonly mark?: string; readonly isCode?: boolean }) {
  const [isWhole, setWhole] = useState(false)
  const shown = isWhole ? text : text.slice(0, MOST)
  return (
    <div className={`break-words whitespace-pre-wrap ${isCode ? 'font-mono text-xs leading-5' : ''}`}>
      <Marked text={visible(shown)} mark={mark} />
      {shown.length < text.length ? <More onPress={() => setWhole(true)}>{(text.length - shown.length).toLocaleString('en-US')} more characters</More> : null}
    </div>
  )
}

/** A program's lines with their colours. */
export function LongLines({ lines, mark }: { readonly lines: readonly string[]; readonly mark: string }) {
  const [isWhole, setWhole] = useState(false)
  const shown = isWhole ? lines : lines.slice(0, MOST_LINES)
  const cut = shown.some((each) => each.length > MOST)
  return (
    <div className="font-mono text-xs leading-5 break-words whitespace-pre-wrap">
      {shown.map((line, at) => <div key={at} className="min-h-5"><AnsiLine text={line} mark={mark} isWhole={isWhole} /></div>)}
      {isWhole || (!cut && shown.length === lines.length) ? null : <More onPress={() => setWhole(true)}>{cut ? 'Show whole lines' : `${lines.length - shown.length} more lines`}</More>}
    </div>
  )
}

function More({ onPress, children }: { readonly onPress: () => void; readonly children: React.ReactNode }) {
  return <button type="button" className="ml-1 min-h-6 font-sans text-accent hover:underline" onClick={onPress}>… {children}</button>
}
