import { describe, expect, it } from 'vitest'
import { mistakesOf } from './data'

describe('a project', () => {
  it.each([
    [{ name: 'web-shop 2', path: '/srv/x', maxRunning: '4' }, []], [{ name: 'a', path: '', maxRunning: '' }, []], [{ name: '', path: 'x', maxRunning: '0' }, ['maxRunning', 'name', 'path']],
    [{ name: '-a', path: '/', maxRunning: '1.5' }, ['maxRunning', 'name']], [{ name: 'a/b', path: '/', maxRunning: '100001' }, ['maxRunning', 'name']],
  ])('%j has mistakes in %j', (draft, fields) => expect(Object.keys(mistakesOf(draft)).sort()).toEqual(fields))
})
