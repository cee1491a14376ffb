// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import axe from 'axe-core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Refused } from '@/lib/http'
import { HOLDS, PHASES, STATUSES } from '@/lib/words'
import { Button } from './button'
import { StateChip } from './chip'
import { CommandKeys, useCommands } from './commands'
import { JsonTree } from './json-tree'
import { Empty, Failure, Skeleton } from './states'
import { type Tab, Tabs } from './tabs'
import { Toasts, useToast } from './toast'

afterEach(() => void cleanup())

const TABS: readonly Tab<'a' | 'b' | 'c'>[] = [{ key: 'a', label: 'Timeline' }, { key: 'b', label: 'Terminal' }, { key: 'c', label: 'Raw' }]

async function violations(): Promise<string[]> {
  // Colours need a layout, which there is none of here.
  const found = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
  return found.violations.map((each) => `${each.id}: ${each.nodes[0]?.html ?? ''}`)
}

describe('a button', () => {
  it('does nothing while it works, and says so', () => {
    const click = vi.fn<() => void>()
    render(<Button isBusy onClick={click}>Stop</Button>)
    const button = screen.getByRole('button', { name: 'Stop' })
    fireEvent.click(button)
    expect([button.getAttribute('aria-busy'), click.mock.calls.length]).toEqual(['true', 0])
  })
})

it('shows every state by its word', () => {
  const words = [STATUSES, PHASES, HOLDS].flatMap((each) => Object.values(each))
  render(<>{words.map((each) => <StateChip key={each.label} word={each} />)}</>)
  for (const each of words) expect(screen.getByText(each.label).title).toBe(each.meaning)
})

it('moves between tabs with the arrows and has one of them in the tab order', () => {
  const choose = vi.fn<(key: 'a' | 'b' | 'c') => void>()
  render(<Tabs label="Views" tabs={TABS} chosen="a" onChoose={choose}>content</Tabs>)
  for (const key of ['ArrowRight', 'ArrowLeft', 'End', 'Home']) fireEvent.keyDown(screen.getByRole('tablist'), { key })
  expect(choose.mock.calls.flat()).toEqual(['b', 'c', 'c', 'a'])
  expect(screen.getAllByRole('tab').map((each) => each.tabIndex)).toEqual([0, -1, -1])
})

describe('JSON', () => {
  it('makes a branch only once it is opened', () => {
    render(<JsonTree value={{ outer: { inner: 'deep' } }} />)
    expect(screen.queryByText(/deep/)).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: /outer/ }))
    expect(screen.getByText(/deep/)).toBeTruthy()
  })

  it('cuts long text and long lists until asked', () => {
    render(<JsonTree value={{ text: 'x'.repeat(5_000_000), list: Array(250).fill(0) }} />)
    expect(document.body.textContent.length).toBeLessThan(5000)
    fireEvent.click(screen.getByRole('button', { name: /list/ }))
    expect(screen.getByRole('button', { name: '150 more' })).toBeTruthy()
  })

  it('shows markup and direction marks as text', () => {
    render(<JsonTree value={{ a: '<script>alert(1)</script>\u202etxt.exe' }} />)
    expect(document.querySelector('script')).toBeNull()
    expect(screen.getByText('<script>alert(1)</script>⟨U+202E⟩txt.exe')).toBeTruthy()
  })
})

it.each([
  [401, 'No access'], [403, 'No access'], [404, 'Not found'], [410, 'No longer kept'], [500, 'The server refused'],
])('has a page for %i with the request to look for', (status, heading) => {
  render(<Failure error={new Refused(status, 'x', 'What to do.', 'req-7', null)} />)
  expect(screen.getByRole('heading', { name: heading })).toBeTruthy()
  expect(screen.getByText('Request req-7')).toBeTruthy()
})

function Speaker() {
  const say = useToast()
  return <button type="button" onClick={() => { say('Done'); say('Refused', true) }}>speak</button>
}

it('speaks and goes away, but an error stays', () => {
  vi.useFakeTimers()
  render(<Toasts><Speaker /></Toasts>)
  fireEvent.click(screen.getByText('speak'))
  expect(screen.getByText('Done')).toBeTruthy()
  vi.runAllTimers()
  vi.useRealTimers()
  fireEvent.click(screen.getByRole('button', { name: 'Close: Refused' }))
  expect(screen.queryByText('Refused')).toBeNull()
})

const run = vi.fn<() => void>()
const COMMANDS = [{ id: 's', title: 'Stop run', keys: 's', run }]

function Page() {
  useCommands(COMMANDS)
  return <input aria-label="field" />
}

describe('commands', () => {
  it('are done by key outside fields, and by palette', async () => {
    run.mockClear()
    render(<CommandKeys><Page /></CommandKeys>)
    fireEvent.keyDown(screen.getByLabelText('field'), { key: 's' })
    expect(run).not.toHaveBeenCalled()
    fireEvent.keyDown(document.body, { key: 's' })
    expect(run).toHaveBeenCalledOnce()
    fireEvent.keyDown(document.body, { key: 'k', ctrlKey: true })
    const input = await screen.findByRole('combobox')
    fireEvent.change(input, { target: { value: 'stop' } })
    fireEvent.keyDown(input, { key: 'Enter' })
    expect(run).toHaveBeenCalledTimes(2)
  })
})

it('breaks no rule of accessibility', async () => {
  render(
    <main>
      <h1>All</h1>
      <Skeleton /><Empty title="None">Start one.</Empty><Failure error={new TypeError('offline')} onRetry={() => undefined} />
      <Tabs label="Views" tabs={TABS} chosen="b" onChoose={() => undefined}>content</Tabs>
      <StateChip word={STATUSES.FAILED} /><JsonTree value={{ a: [1, { b: null }] }} />
    </main>,
  )
  expect(await violations()).toEqual([])
})
