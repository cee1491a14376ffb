import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refused } from '@/lib/http'
import type { Run } from '@/lib/words'
import { join, split } from './argv'
import { draftOf, EMPTY, forget, keep, kept, row, variable } from './draft'
import { readObject } from './json'
import { countOf, fieldOf, requestOf, shown } from './request'

describe('a command line', () => {
  it.each([
    ['make test', ['make', 'test']],
    [`sh -c 'for i in 1 2; do echo $i; done'`, ['sh', '-c', 'for i in 1 2; do echo $i; done']],
    [`echo "a \\"b\\" \\c" 'it''s' \\ x`, ['echo', 'a "b" \\c', 'its', ' x']],
    [`a "" b`, ['a', '', 'b']],
    ['a \\\n  b', ['a', 'b']],
  ])('reads %j', (text, argv) => expect(split(text)).toMatchObject({ argv }))

  it('says where quotes begin that do not end', () => {
    expect(split('echo "abc')).toEqual({ mistake: 'These quotes are not closed.', at: 6 })
    expect(split('echo \\')).toMatchObject({ at: 6 })
  })

  it.each([['ls | wc', '|'], ['make && x', '&&'], ['echo $(date)', '$('], ['echo "a | b"', null], ['ls *.txt', '*']])('sees what only a shell understands in %j', (text, operator) =>
    expect(split(text)).toMatchObject({ operator }))

  it('reads back every list of words that it wrote', () => {
    fc.assert(fc.property(fc.array(fc.string()), (argv) => { expect(split(join(argv))).toMatchObject({ argv }) }))
  })
})

describe('JSON', () => {
  it.each([
    ['{"a": 1,\n "b": }', 2, 7], ['{"a": 1,}', 1, 9], ['{"a": 1 "b": 2}', 1, 9], ["{'a': 1}", 1, 2], ['[1]', 1, 1], ['{"a": 1', 1, 8],
    ['{"a": [1, ]}', 1, 11], ['{"a": 01}', 1, 7], ['{"a": nul}', 1, 7], ['{"a": 1, "a": 2}', 1, 10], ['{"a": "x\ny"}', 1, 7], ['{"a": 12345678901234567890}', 1, 7],
    ['{} x', 1, 4], ['{"a": 1e999}', 1, 7], ['{"a": "\\u0000"}', 1, 7],
  ])('places the mistake of %j', (text, line, column) => expect(readObject(text)).toMatchObject({ mistake: { line, column } }))

  it('takes what the browser takes, and refuses what it refuses', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      fc.pre(!text.includes('\\u0000') && !/[0-9]{16}/.test(text))
      expect(readObject(text)).toEqual({ value: JSON.parse(text) })
    }))
    fc.assert(fc.property(fc.string().filter((text) => text.trim() !== ''), (text) => {
      const read = readObject(text)
      if ('value' in read) expect(JSON.parse(text)).toEqual(read.value)
    }))
  })

  it('refuses what is nested too deeply, and stays upright', () => {
    expect(readObject(`{"a":${'['.repeat(5000)}`)).toHaveProperty('mistake')
    expect(readObject('  ')).toEqual({ value: {} })
  })
})

const RUN = {
  id: 7, backend: 'command', project: 'shop', title: 'make test', goal: '', agent: 'ci', options: { argv: ['make', 'test'], env: { LANG: 'C', API_KEY: '***' }, cwd: 'web', stdin: 'pipe', odd: [1] },
  limits: { wall_s: 60 }, priority: 5, labels: { team: 'web' }, metadata: { a: 1 }, on_lost: 'retry', retry: { attempts: 3, backoff_s: 10, reasons: ['signal'] },
} as unknown as Run

describe('the request', () => {
  it('is nothing but what was said', () => {
    expect(requestOf({ ...EMPTY, command: 'echo hello' })).toEqual({ request: { backend: 'command', options: { argv: ['echo', 'hello'] } }, mistakes: {}, missing: {} })
  })

  it('is that of the run which is to run again, but for its secrets', () => {
    const { request, missing } = requestOf(draftOf(RUN))
    expect(request).toEqual({
      backend: 'command', project: 'shop', agent: 'ci', options: { argv: ['make', 'test'], env: { LANG: 'C', API_KEY: '' }, cwd: 'web', stdin: 'pipe', odd: [1] }, limits: { wall_s: 60 }, priority: 5,
      labels: { team: 'web' }, metadata: { a: 1 }, on_lost: 'retry', retry: { attempts: 3, reasons: ['signal'] },
    })
    expect(missing.env).toBe('The value of API_KEY is missing: secrets are never shown, so give it again.')
  })

  it('leaves it to the server to keep apart what looks like a secret, does so with others, and shows neither', () => {
    const { request } = requestOf({ ...EMPTY, command: 'x', variables: [variable('API_TOKEN', 's1'), variable('OTHER', 's2', true), variable('LANG', 'C')] })
    expect(request).toMatchObject({ secrets: { OTHER: 's2' }, options: { env: { LANG: 'C', API_TOKEN: 's1' } } })
    expect(JSON.stringify(shown(request))).not.toMatch(/s1|s2/)
  })

  it('keeps a wait of nothing between tries', () => {
    expect(requestOf({ ...EMPTY, command: 'x', attempts: '2', backoff: '0' }).request).toMatchObject({ retry: { attempts: 2, backoff_s: 0 } })
  })

  it('names each field that has to change', () => {
    const { mistakes } = requestOf({
      ...EMPTY, command: '"', more: '{', metadata: '[]', priority: '1.5', limits: { wall_s: '0', pids: 'x' }, labels: [row('a b', '1')], variables: [variable('A', '1'), variable('A', '2')], attempts: '0',
    })
    expect(Object.keys(mistakes).filter((each) => !each.includes(':')).sort()).toEqual(['env', 'labels', 'limits.pids', 'limits.wall_s', 'metadata', 'more', 'options.argv', 'priority', 'retry.attempts'])
    expect(countOf(mistakes)).toBe(9)
    expect(requestOf({ ...EMPTY, backend: 'claude', goal: ' ', options: { max_turns: '0' } })).toMatchObject({ missing: { goal: 'Say what is to be done.' }, mistakes: { 'options.max_turns': expect.any(String) as string } })
    expect(requestOf({ ...EMPTY, backend: 'replay' }).missing).toEqual({ 'options.run': 'This is needed.' })
  })
})

describe('what the server refuses', () => {
  const fields = ['goal', 'options.argv', 'options.model', 'limits.memory_mb', 'limits.wall_s', 'title', 'options.scenario']
  it.each([
    ['`options.model` must be the name of a model; it is empty.', 'bad_config', 'options.model'],
    ['`limits.wall_s`: expected `float` > 0.', 'invalid_field', 'limits.wall_s'],
    ['No worker can enforce `limits.memory_mb`: no cgroup. `agentrunner doctor` says more.', 'limit_unsupported', 'limits.memory_mb'],
    ['`options.scenario[3].emit` must be a text; it is null.', 'bad_config', 'options.scenario'],
    ['`options.odd` is unknown to backend \'claude\'.', 'bad_config', 'more'],
    ['`labels.x`: expected `str`.', 'invalid_field', 'labels'],
    ['There is no project with this name.', 'project_not_found', 'project'],
    ['There is no backend \'x\'.', 'invalid_field', 'backend'],
    ['Too much is waiting already.', 'too_many_requests', null],
  ])('stands at its field: %s', (detail, code, field) => expect(fieldOf(new Refused(422, code, detail, null, null), fields)).toBe(field))
})

describe('the form that is kept', () => {
  it('comes back without its secrets, and is gone when forgotten', () => {
    const all = new Map<string, string>()
    const store = { getItem: (name: string) => all.get(name) ?? null, setItem: (name: string, value: string) => void all.set(name, value), removeItem: (name: string) => void all.delete(name) }
    keep({ ...EMPTY, command: 'x', variables: [variable('MY_KEY', 'hush'), variable('LANG', 'C')] }, store, null)
    expect([...all.values()].join()).not.toContain('hush')
    expect(kept(store, null)).toMatchObject({ command: 'x', variables: [{ name: 'MY_KEY', value: '' }, { name: 'LANG', value: 'C' }] })
    all.set('agentrunner.new-run', '{"command": 1}')
    expect(kept(store, null)).toBeNull()
    forget(store, null)
    expect([kept(store, null), all.size]).toEqual([null, 0])
  })

  it('works in a browser that keeps nothing', () => {
    const refuse = () => { throw new Error('no') }
    const store = { getItem: refuse, setItem: refuse, removeItem: refuse }
    expect(() => { keep(EMPTY, store, 7); forget(store, null) }).not.toThrow()
    expect(kept(store, null)).toBeNull()
  })
})
