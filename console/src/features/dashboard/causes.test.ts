import { expect, it } from 'vitest'
import { causes } from './causes'

it('puts the most frequent reason first and adds up what is above', () => {
  const found = causes([{ reason: 'signal' }, { reason: 'exit_nonzero' }, { reason: null }, { reason: 'exit_nonzero' }])
  expect(found.map(({ label, runs, share, behind }) => [label, runs, share, behind])).toEqual([
    ['The program ended with an error', 2, 0.5, 0.5],
    ['No reason was reported', 1, 0.25, 0.75],
    ['The program was killed', 1, 0.25, 1],
  ])
  expect(causes([])).toEqual([])
})
