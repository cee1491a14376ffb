/** Keys of the Inbox: `j` and `k` move the focus between items, the others act on the item that holds it. */
import type { Command } from '@/lib/keys'
import type { Action } from '@/lib/words'
import type { Need } from './need'

/** What is shown now, and what can be done with it. */
export interface Stage {
  readonly root: HTMLElement
  readonly needs: readonly Need[]
  readonly toggle: (id: number) => void
  readonly act: (id: number, action: Action) => void
  readonly onSeen: (id: number) => void
}

/** The same commands for as long as the page is shown; what they act on is told after each render. */
export class ItemKeys {
  #stage: Stage | null = null

  readonly commands: readonly Command[] = [
    { id: 'inbox.next', title: 'Next', keys: 'j', hint: 'Next', group: 'Inbox', run: () => this.#move(1) },
    { id: 'inbox.previous', title: 'Previous', keys: 'k', group: 'Inbox', run: () => this.#move(-1) },
    { id: 'inbox.details', title: 'Show or hide why', keys: 'o', hint: 'Why', group: 'Inbox', run: () => this.#onFocused((need, stage) => stage.toggle(need.run.id)) },
    { id: 'inbox.retry', title: 'Retry', keys: 'r', hint: 'Retry', group: 'Inbox', run: () => this.#onFocused((need, stage) => { if (need.group === 'failed') stage.act(need.run.id, 'retry') }) },
    { id: 'inbox.stop', title: 'Stop', keys: 's', group: 'Inbox', run: () => this.#onFocused((need, stage) => { if (need.group !== 'failed') stage.act(need.run.id, 'stop') }) },
    { id: 'inbox.seen', title: 'Mark as seen', keys: 'm', hint: 'Seen', group: 'Inbox', run: () => this.#onFocused((need, stage) => this.#see(need, stage)) },
  ]

  tell(stage: Stage | null): void {
    this.#stage = stage
  }

  #items(): HTMLElement[] {
    return [...(this.#stage?.root.querySelectorAll<HTMLElement>('[data-run]') ?? [])]
  }

  #move(by: number): void {
    const all = this.#items()
    const at = all.findIndex((each) => each.contains(document.activeElement))
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)
    all[next]?.querySelector<HTMLElement>('[data-focus]')?.focus()
  }

  #onFocused(then: (need: Need, stage: Stage) => void): void {
    const id = Number(this.#items().find((each) => each.contains(document.activeElement))?.dataset.run)
    const need = this.#stage?.needs.find((each) => each.run.id === id)
    if (need && this.#stage) then(need, this.#stage)
  }

  #see(need: Need, stage: Stage): void {
    if (need.group !== 'failed') return
    // The one seen goes away: the focus has to be elsewhere by then.
    const before = document.activeElement
    this.#move(1)
    if (document.activeElement === before) this.#move(-1)
    stage.onSeen(need.run.id)
  }
}
