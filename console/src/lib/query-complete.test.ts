import { expect, it } from 'vitest'
import { completed, completions, placeAt } from './query-complete'
import { parse } from './query'

const offer = (text: string, known: readonly string[] = []) => {
  const place = placeAt(text, text.length)
  return place ? completions(place, known).map((each) => each.text) : null
}

it.each([
  ['sta', ['status:']], ['-wor', ['worker:']], ['status:fa', ['failed']], ['status:failed,st', ['stopped']], ['text is:', ['active', 'terminal', 'held', 'unreachable']],
  ['"in quotes sta', null], ['nofield:x', null],
])('offers what could follow %s', (text, offered) => expect(offer(text)).toEqual(offered))

it('offers the names that the server has, those that begin so first', () => {
  expect(offer('agent:re', ['pre-check', 'reviewer', 'two words re'])).toEqual(['reviewer', 'pre-check', '"two words re"'])
})

it('puts a choice where it was typed and goes on behind it', () => {
  const text = 'a sta b'
  const place = placeAt(text, 5)
  expect(place && completed(text, place, { text: 'status:', hint: '' })).toEqual({ text: 'a status: b', caret: 9 })
  const value = placeAt('status:fa', 9)
  expect(value && completed('status:fa', value, { text: 'failed', hint: '' })).toEqual({ text: 'status:failed ', caret: 14 })
})

it('offers only values that the grammar takes', () => {
  for (const field of ['status', 'reason', 'phase', 'hold', 'is', 'since', 'until', 'cost', 'took'])
    for (const each of offer(`${field}:`) ?? []) expect(() => parse(`${field}:${each}`)).not.toThrow()
})
