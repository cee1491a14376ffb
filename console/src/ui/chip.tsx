/** A state as a chip: an icon and a word, the colour only beside them. */
import { CircleCheck, CircleDashed, CircleSlash, CircleX, Loader, TriangleAlert } from 'lucide-react'
import type { Tone, Word } from '@/lib/words'

const LOOKS = {
  neutral: [CircleSlash, 'text-neutral'],
  active: [Loader, 'text-active'],
  good: [CircleCheck, 'text-good'],
  waiting: [CircleDashed, 'text-waiting'],
  attention: [TriangleAlert, 'text-attention'],
  bad: [CircleX, 'text-bad'],
} as const satisfies Record<Tone, readonly [typeof Loader, string]>

export function StateChip({ word }: { readonly word: Word }) {
  const [Icon, color] = LOOKS[word.tone]
  return (
    <span className={`inline-flex max-w-full items-center gap-1 align-middle font-medium whitespace-nowrap ${color}`} title={word.meaning}>
      <Icon aria-hidden="true" className="size-4 shrink-0" />
      {word.label}
    </span>
  )
}
