import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Again } from './again'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('works at its pace, sooner on news, never twice at once', async () => {
  let [done, atOnce, most] = [0, 0, 0]
  const again = new Again(async () => {
    most = Math.max(most, ++atOnce)
    await new Promise((resolve) => setTimeout(resolve, 50))
    atOnce--
    done++
  }, 1000)
  again.start()
  again.start()
  await vi.advanceTimersByTimeAsync(1100)
  expect(done).toBe(1)
  again.soon(100)
  await vi.advanceTimersByTimeAsync(120)
  again.soon(100)
  await vi.advanceTimersByTimeAsync(300)
  expect([done, most]).toEqual([3, 1])
  again.stop()
  await vi.advanceTimersByTimeAsync(5000)
  expect([done, vi.getTimerCount()]).toEqual([3, 0])
})

it('goes on after an error, and is aborted by its stop', async () => {
  const signals: AbortSignal[] = []
  const again = new Again((signal) => { signals.push(signal); return Promise.reject(new TypeError('away')) }, 1000)
  again.start()
  await vi.advanceTimersByTimeAsync(2100)
  again.stop()
  expect(signals.map((each) => each.aborted)).toEqual([true, true])
})
