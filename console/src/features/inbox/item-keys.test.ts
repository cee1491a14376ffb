// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Run } from '@/lib/words'
import { ItemKeys } from './item-keys'
import type { Group, Need } from './need'

const need = (id: number, group: Group) => ({ run: { id } as Run, group }) as Need
const stage = { needs: [need(1, 'trouble'), need(2, 'failed'), need(3, 'failed')], toggle: vi.fn<(id: number) => void>(), act: vi.fn<(id: number, action: string) => void>(), onSeen: vi.fn<(id: number) => void>() }
const keys = new ItemKeys()
const press = (key: string) => keys.commands.find((each) => each.keys === key)?.run()
const focused = () => document.activeElement?.parentElement?.dataset.run

beforeEach(() => {
  document.body.replaceChildren(...stage.needs.map(({ run }) => {
    const item = document.createElement('li')
    item.dataset.run = String(run.id)
    const link = document.createElement('a')
    link.href = '#'
    link.dataset.focus = ''
    item.append(link)
    return item
  }))
  keys.tell({ root: document.body, ...stage })
  vi.clearAllMocks()
})

describe('keys of the Inbox', () => {
  it('move the focus and stay at the ends', () => {
    const seen = ['j', 'k', 'j', 'j', 'j'].map((key) => { press(key); return focused() })
    expect(seen).toEqual(['1', '1', '2', '3', '3'])
  })

  it('do nothing without an item that has the focus', () => {
    for (const key of ['o', 'r', 's', 'm']) press(key)
    expect([stage.toggle, stage.act, stage.onSeen].every((each) => each.mock.calls.length === 0)).toBe(true)
  })

  it('stop only what runs and retry only what failed', () => {
    press('j')
    press('r')
    press('s')
    press('j')
    press('s')
    press('r')
    press('o')
    expect(stage.act.mock.calls).toEqual([[1, 'stop'], [2, 'retry']])
    expect(stage.toggle.mock.calls).toEqual([[2]])
  })

  it('hand the focus on when an item is seen, also from the last', () => {
    press('j')
    press('m')
    expect(stage.onSeen).not.toHaveBeenCalled()
    press('j')
    press('m')
    expect([focused(), stage.onSeen.mock.calls]).toEqual(['3', [[2]]])
    press('m')
    expect([focused(), stage.onSeen.mock.calls.at(-1)]).toEqual(['2', [3]])
  })
})
