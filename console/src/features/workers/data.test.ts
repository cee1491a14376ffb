import { describe, expect, it } from 'vitest'
import { offer } from '../new-run/data'
import { backends, capacity, ordered, type Worker } from './data'

const worker = (name: string, part: Partial<Worker>) => ({ id: name, name, online: true, slots: 4, running: 1, backends: ['claude', 'command'], programs: {}, heard_at: '2026-01-01T00:00:00Z', ...part }) as Worker
const program = (available: boolean, part = {}) => ({ available, program: null, version: null, advice: null, note: null, ...part })

describe('workers', () => {
  const gone = worker('a', { online: false, running: 3, heard_at: '2026-01-02T00:00:00Z' })
  const older = worker('z', { online: false, heard_at: null })
  const there = worker('b', {})

  it('count for capacity only while they are online', () => expect(capacity([gone, there])).toEqual({ online: 1, running: 1, slots: 4 }))
  it('stand with those online first, then the last heard of', () => expect(ordered([older, gone, there]).map((each) => each.name)).toEqual(['b', 'a', 'z']))

  it('say what they have, and what they lack with what to do', () => {
    const programs = { claude: program(false, { advice: 'Install it.' }), command: program(true) }
    expect(backends(worker('b', { programs }))).toEqual([{ name: 'claude', isUsable: false, detail: 'built in', advice: 'Install it.' }, { name: 'command', isUsable: true, detail: 'built in', advice: null }].map((each) => (each.name === 'claude' ? { ...each, detail: expect.any(String) as string } : each)))
    expect(backends(there)[0]?.detail).toBe('not looked for yet')
  })
})

describe('what is offered for a new run', () => {
  const ready = worker('a', { programs: { claude: program(true, { version: '2.1.197' }) } })
  const lacking = worker('b', { programs: { claude: program(false, { advice: 'Install it.' }) } })

  it('counts the workers whose program is there', () => {
    expect(offer('claude', [ready, lacking])).toEqual({ text: 'Ready on 1 of 2 workers', isGood: true, version: '2.1.197', advice: null })
    expect(offer('claude', [ready])).toMatchObject({ text: 'Ready' })
    expect(offer('claude', [lacking])).toMatchObject({ isGood: false, advice: 'Install it.' })
  })

  it('takes a worker that has not looked yet by its word, and none that is offline', () => {
    expect(offer('command', [worker('c', {})])).toMatchObject({ isGood: true, version: null })
    expect(offer('command', [worker('c', { online: false })])).toMatchObject({ text: 'No worker is online', isGood: false })
    expect(offer('other', [ready])).toMatchObject({ text: 'No worker offers it' })
  })
})
