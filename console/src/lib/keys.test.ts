import { expect, it, vi } from 'vitest'
import { type Command, Commands, type Key, matching, SEQUENCE_MS } from './keys'

const key = (name: string, change: Partial<Key> = {}): Key => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...change })
const command = (keys: string, change: Partial<Command> = {}): Command => ({ id: keys, title: keys, keys, run: vi.fn<() => void>(), ...change })

it.each<[string, Key]>([
  ['j', key('j')], ['Shift+g', key('G', { shiftKey: true })], ['?', key('?', { shiftKey: true })], ['Mod+k', key('k', { ctrlKey: true })],
  ['Mod+k', key('k', { metaKey: true })], ['Escape', key('Escape')], ['Shift+Enter', key('Enter', { shiftKey: true })],
])('%s is pressed', (keys, pressed) => {
  const commands = new Commands()
  const meant = command(keys)
  commands.add([meant])
  expect(commands.press(pressed, false, 0)).toBe(true)
  expect(meant.run).toHaveBeenCalledOnce()
})

it('takes nothing from a field but what has a modifier', () => {
  const commands = new Commands()
  commands.add([command('s'), command('Mod+Enter')])
  expect(commands.press(key('s'), true, 0)).toBe(false)
  expect(commands.press(key('Enter', { ctrlKey: true }), true, 0)).toBe(true)
})

it('can do without letters', () => {
  const commands = new Commands()
  commands.add([command('s'), command('Escape')])
  commands.turnLetters(false)
  expect([commands.press(key('s'), false, 0), commands.press(key('Escape'), false, 0)]).toEqual([false, true])
})

it('reads sequences within a second', () => {
  const commands = new Commands()
  const [go, r] = [command('g r'), command('r')]
  commands.add([go, r])
  commands.press(key('g'), false, 0)
  commands.press(key('r'), false, 500)
  expect([go.run, r.run].map((each) => vi.mocked(each).mock.calls.length)).toEqual([1, 0])
  commands.press(key('g'), false, 1000)
  commands.press(key('r'), false, 1001 + SEQUENCE_MS)
  expect([go.run, r.run].map((each) => vi.mocked(each).mock.calls.length)).toEqual([1, 1])
})

it('means the innermost that is enabled, and forgets what is taken away', () => {
  const commands = new Commands()
  const [outer, inner, off] = [command('p'), command('p'), command('p', { isEnabled: () => false })]
  commands.add([outer])
  const remove = commands.add([inner, off])
  commands.press(key('p'), false, 0)
  remove()
  commands.press(key('p'), false, 0)
  expect([outer.run, inner.run, off.run].map((each) => vi.mocked(each).mock.calls.length)).toEqual([1, 1, 0])
})

it('finds by letters in order, beginnings of words first', () => {
  const all = ['Stop run', 'Pause run', 'Go to runs', 'Sort by cost'].map((title) => command(title, { title }))
  expect(matching(all, 'sr').map((each) => each.title)[0]).toBe('Stop run')
  expect(matching(all, 'runs').map((each) => each.title)).toEqual(['Go to runs'])
  expect(matching(all, '')).toHaveLength(4)
})
