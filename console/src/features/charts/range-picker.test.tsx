// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CommandKeys } from '@/ui/commands'
import type { Range } from './range'
import { RangePicker } from './range-picker'

afterEach(() => void cleanup())

function shown(range: Range) {
  const onRange = vi.fn<(range: Range) => void>()
  const onReset = vi.fn<() => void>()
  render(<CommandKeys><RangePicker range={range} onRange={onRange} onReset={onReset} /></CommandKeys>)
  return { onRange, onReset }
}

describe('a time range', () => {
  it('is chosen by button and by key', () => {
    const { onRange } = shown({ since: '24h' })
    expect(screen.getByRole('button', { name: '24 h' }).getAttribute('aria-pressed')).toBe('true')
    fireEvent.click(screen.getByRole('button', { name: '7 d' }))
    fireEvent.keyDown(document.body, { key: '1' })
    expect(onRange.mock.calls).toEqual([[{ since: '7d' }], [{ since: '1h' }]])
  })

  it('that was marked is said and taken away', () => {
    const { onReset } = shown({ since: '2026-11-20T08:00:00Z', until: '2026-11-20T12:00:00Z' })
    expect(screen.queryByRole('button', { pressed: true })).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: /^from 20 Nov/ }))
    expect(onReset).toHaveBeenCalledOnce()
  })

  it('has to end behind its beginning', () => {
    const { onRange } = shown({ since: '24h' })
    fireEvent.click(screen.getByRole('button', { name: 'Other…' }))
    const [from, until] = [screen.getByLabelText('From'), screen.getByLabelText('Until')]
    fireEvent.change(from, { target: { value: '2026-11-20T12:00' } })
    fireEvent.change(until, { target: { value: '2026-11-20T08:00' } })
    expect(screen.getByText('It has to end behind its beginning.')).toBeTruthy()
    fireEvent.change(until, { target: { value: '2026-11-20T13:00' } })
    fireEvent.click(screen.getByRole('button', { name: 'Show' }))
    const [range] = onRange.mock.calls[0] ?? []
    expect([range?.since, range?.until].map((each) => Date.parse(each ?? ''))).toEqual([new Date('2026-11-20T12:00').getTime(), new Date('2026-11-20T13:00').getTime()])
  })
})
