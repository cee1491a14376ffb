/** The icon of each kind of row; the words beside it say the same. */
import { AlignLeft, Brain, Circle, CircleDot, CircleQuestionMark, Coins, MessageSquare, Repeat, Send, Timer, TriangleAlert, Wrench } from 'lucide-react'
import type { Kind } from '@/lib/event-words'

const ICONS: Readonly<Record<Kind, typeof Circle>> = {
  run: CircleDot, turn: Repeat, message: MessageSquare, thinking: Brain, tool: Wrench, span: Timer, log: AlignLeft, usage: Coins,
  problem: TriangleAlert, decision: CircleQuestionMark, input: Send, other: Circle,
}

export function KindIcon({ kind, isProblem }: { readonly kind: Kind; readonly isProblem: boolean }) {
  const Icon = isProblem ? TriangleAlert : ICONS[kind]
  return <Icon aria-hidden="true" className={`size-3.5 shrink-0 ${isProblem ? 'text-bad' : 'text-muted'}`} />
}
