/** A part of the settings: its name, what it is, and its content; reached by the list beside it. */
import type { ReactNode } from 'react'

export const PARTS = [
  { id: 'system', title: 'System' },
  { id: 'services', title: 'Services' },
  { id: 'tokens', title: 'Access tokens' },
  { id: 'sessions', title: 'Signed-in browsers' },
  { id: 'retention', title: 'Retention' },
  { id: 'live', title: 'Live updates' },
  { id: 'browser', title: 'This browser' },
] as const

export type PartId = (typeof PARTS)[number]['id']

interface PartProps {
  readonly id: PartId
  readonly lead?: string
  readonly actions?: ReactNode
  readonly children: ReactNode
}

export function Part({ id, lead, actions, children }: PartProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} tabIndex={-1} className="scroll-mt-4 border-b border-line-soft py-6 outline-none first:pt-4 last:border-0">
      <div className="mb-3 flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-64">
          <h2 id={`${id}-title`} className="text-base font-semibold">{PARTS.find((each) => each.id === id)?.title}</h2>
          {lead ? <p className="mt-0.5 max-w-2xl text-muted">{lead}</p> : null}
        </div>
        {actions ? <div className="flex flex-wrap gap-2">{actions}</div> : null}
      </div>
      {children}
    </section>
  )
}

/** Names with values, in a grid that a phone stacks. */
export function Facts({ title, facts }: { readonly title: string; readonly facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <div className="rounded-lg border border-line-soft p-3">
      <h3 className="mb-1 font-medium">{title}</h3>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-0.5">
        {facts.map(([name, value]) => (
          <div key={name} className="contents"><dt className="text-muted">{name}</dt><dd className="min-w-0 text-right break-words">{value}</dd></div>
        ))}
      </dl>
    </div>
  )
}
