/** A run watched for as long as the caller is shown; a few renders a second at most, however fast events come. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import { useAccess } from '@/features/access'
import { useSharedRuns } from '@/features/live'
import { runSource } from '@/lib/run-source'
import { RunWatch, type Watched } from '@/lib/run-watch'
import { documentSight } from '@/lib/sight'

/** Drawing a burst more often than this costs more than the eye gets of it. */
const DRAWN_MS = 60

/** Draws with the next frame, and not sooner after the last time than that. */
function framing(): (draw: () => void) => () => void {
  let drawn = 0
  return (draw) => {
    let frame = 0
    const timer = setTimeout(() => {
      frame = requestAnimationFrame((now) => {
        drawn = now
        draw()
      })
    }, Math.max(0, drawn + DRAWN_MS - performance.now()))
    return () => {
      clearTimeout(timer)
      cancelAnimationFrame(frame)
    }
  }
}

export function useRunWatch(id: number): readonly [RunWatch, Watched] {
  const { client, session } = useAccess()
  const shared = useSharedRuns()
  const [watch] = useState(() => {
    const alone = runSource(client, location.origin, session, id)
    const stream = (after: number, signal: AbortSignal) => Promise.resolve(shared.stream(id, after, alone.stream, signal))
    return new RunWatch({ source: { ...alone, stream }, sight: documentSight(), isOnline: () => navigator.onLine, onFrame: framing() })
  })
  useEffect(() => {
    watch.start()
    return () => watch.stop()
  }, [watch])
  return [watch, useSyncExternalStore(watch.listen, () => watch.watched)]
}
