/** Tabs as the ARIA pattern asks: arrows move, the chosen one alone is in the tab order. */
import { type KeyboardEvent, type ReactNode, useId, useRef } from 'react'

export interface Tab<K extends string> {
  readonly key: K
  readonly label: string
}

interface TabsProps<K extends string> {
  readonly label: string
  readonly tabs: readonly Tab<K>[]
  readonly chosen: K
  readonly onChoose: (key: K) => void
  readonly children: ReactNode
}

export function Tabs<K extends string>({ label, tabs, chosen, onChoose, children }: TabsProps<K>) {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent) => {
    const at = target(event.key, tabs.findIndex((each) => each.key === chosen), tabs.length)
    const tab = at === null ? undefined : tabs[at]
    if (!tab || at === null) return
    event.preventDefault()
    onChoose(tab.key)
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[at]?.focus()
  }
  return (
    <>
      <div role="tablist" aria-label={label} ref={list} onKeyDown={move} className="flex gap-1 border-b border-line">
        {tabs.map(({ key, label: name }) => {
          const isChosen = key === chosen
          return (
            <button
              key={key} type="button" role="tab" id={`${id}-${key}`} aria-selected={isChosen} aria-controls={`${id}-panel`} tabIndex={isChosen ? 0 : -1}
              onClick={() => onChoose(key)} className={`min-h-8 border-b-2 px-3 ${isChosen ? 'border-accent font-semibold' : 'border-transparent text-muted'}`}
            >
              {name}
            </button>
          )
        })}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`} tabIndex={0}>{children}</div>
    </>
  )
}

function target(key: string, at: number, count: number): number | null {
  if (key === 'ArrowRight') return (at + 1) % count
  if (key === 'ArrowLeft') return (at + count - 1) % count
  if (key === 'Home') return 0
  return key === 'End' ? count - 1 : null
}
