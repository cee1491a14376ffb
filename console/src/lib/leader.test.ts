import { expect, it, vi } from 'vitest'
import { type Channel, type Locks, share, type Shared } from './leader'

/** A browser with one lock and one channel. */
function browser() {
  const waiting: (() => void)[] = []
  let isHeld = false
  const channels = new Set<Channel<Shared<string>>>()
  const grant = () => {
    if (!isHeld) waiting.shift()?.()
  }
  const locks: Locks = {
    request: (_, { signal }, held) =>
      new Promise((resolve, reject) => {
        const take = () => {
          isHeld = true
          void held().then(() => {
            isHeld = false
            grant()
            resolve(undefined)
          })
        }
        signal.addEventListener('abort', () => {
          const at = waiting.indexOf(take)
          if (at >= 0) waiting.splice(at, 1)
          reject(new DOMException('gone', 'AbortError'))
        })
        waiting.push(take)
        grant()
      }),
  }
  const open = (): Channel<Shared<string>> => {
    const channel: Channel<Shared<string>> = {
      onmessage: null,
      postMessage: (data) => channels.forEach((each) => each !== channel && each.onmessage?.(new MessageEvent('message', { data }))),
      close: () => void channels.delete(channel),
    }
    channels.add(channel)
    return channel
  }
  return { locks, open, channels }
}

function tab(web: ReturnType<typeof browser>, locks: Locks | undefined = web.locks) {
  const seen: string[] = []
  const stopped = vi.fn<() => void>()
  let say: ((message: string) => void) | undefined
  const { leave } = share<string>({
    name: 'runs', locks, open: web.open, greeting: () => 'as it is', onMessage: (each) => seen.push(each), lead: (given) => ((say = given), stopped),
  })
  return { seen, stopped, leave, say: (message: string) => say?.(message), isLeader: () => say !== undefined }
}

it('has one tab stream and all hear it', () => {
  const web = browser()
  const [first, second] = [tab(web), tab(web)]
  expect([first.isLeader(), second.isLeader()]).toEqual([true, false])
  first.say('run 1')
  expect([first.seen, second.seen]).toEqual([['run 1'], ['as it is', 'run 1']])
})

it('hands over when the leader leaves, whose stream is stopped', async () => {
  const web = browser()
  const [first, second, third] = [tab(web), tab(web), tab(web)]
  second.leave()
  first.leave()
  await vi.waitFor(() => expect(third.isLeader()).toBe(true))
  expect(first.stopped).toHaveBeenCalledOnce()
  expect(second.isLeader()).toBe(false)
  first.say('late')
  third.say('new')
  expect([first.seen, third.seen, web.channels.size]).toEqual([[], ['as it is', 'new'], 1])
})

it('has each tab stream for itself where there are no locks', () => {
  const web = browser()
  const seen = [1, 2].map(() => {
    const messages: string[] = []
    share<string>({ name: 'runs', locks: undefined, open: web.open, onMessage: (each) => messages.push(each), lead: (say) => (say('mine'), () => undefined) })
    return messages
  })
  expect(seen).toEqual([['mine'], ['mine']])
})
