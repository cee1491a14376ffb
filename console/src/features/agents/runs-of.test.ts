import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parse } from '@/lib/query'
import { runsOf } from './runs-of'

it('finds an agent of any name', () => {
  const name = fc.string({ minLength: 1, maxLength: 100 }).filter((each) => !each.includes('\0') && parses(each))
  fc.assert(fc.property(name, (agent) => {
    expect(parse(runsOf(agent, { since: '7d' }))[0]).toEqual({ field: 'agent', values: [agent], isNegated: false })
  }))
})

// Long names outgrow the longest query once they are quoted.
const parses = (name: string) => name.replace(/[\\"]/g, '\\$&').length < 300
