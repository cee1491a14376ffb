import { expect, it, vi } from 'vitest'
import { oneOf, Pref, truth, wordList } from './prefs'

const keeper = (kept: Record<string, string> = {}) => ({ kept, getItem: (name: string) => kept[name] ?? null, setItem: (name: string, value: string) => void (kept[name] = value) })

it('is kept and heard', () => {
  const place = keeper()
  const pref = new Pref('theme', 'system', oneOf('system', 'dark'), place)
  const heard = vi.fn<() => void>()
  pref.listen(heard)
  pref.set('dark')
  expect([heard.mock.calls.length, new Pref('theme', 'system', oneOf('system', 'dark'), place).value]).toEqual([1, 'dark'])
})

it('takes nothing that it does not know', () => {
  const place = keeper({ 'agentrunner.theme': 'pink', 'agentrunner.on': '"yes"', 'agentrunner.list': '[1]', 'agentrunner.bad': '{' })
  expect(new Pref('theme', 'system', oneOf('system', 'dark'), place).value).toBe('system')
  expect(new Pref('on', true, truth, place).value).toBe(true)
  expect(new Pref<readonly string[]>('list', ['a'], wordList, place).value).toEqual(['a'])
  expect(new Pref('bad', false, truth, place).value).toBe(false)
})

it('works where the browser keeps nothing', () => {
  const raise = () => { throw new Error('denied') }
  const pref = new Pref('on', true, truth, { getItem: raise, setItem: raise })
  pref.set(false)
  expect(pref.value).toBe(false)
})
