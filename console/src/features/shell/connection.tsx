/** How this tab is connected, always in sight: a word and an icon, and since when what is shown stands. */
import { CircleDashed, CloudOff, Lock, Moon, Radio, RefreshCw } from 'lucide-react'
import { clock } from '@/lib/format'
import type { LiveState } from '@/lib/runs-feed'
import { useAsOf } from '@/ui/now'
import { useLiveState, useReconnect } from '../live'

const LOOKS: Readonly<Record<LiveState['kind'], readonly [string, typeof Radio, string, string]>> = {
  live: ['Live', Radio, 'text-good', 'The server tells of every change as it happens.'],
  polling: ['Live (polling)', RefreshCw, 'text-attention', 'Something between here and the server holds streams back, so changes are asked for again and again. A stream is tried once a minute.'],
  connecting: ['Connecting', CircleDashed, 'text-waiting', 'The server is being asked.'],
  reconnecting: ['Reconnecting', CircleDashed, 'text-attention', 'The server does not answer. Clocks stand still until it does.'],
  offline: ['Offline', CloudOff, 'text-bad', 'This device has no network. Clocks stand still.'],
  hidden: ['Paused', Moon, 'text-muted', 'Nobody looks at this tab, so it asks for nothing.'],
  refused: ['No access', Lock, 'text-bad', 'The server refused the connection.'],
}

export function ConnectionBadge({ isCompact = false }: { readonly isCompact?: boolean }) {
  const state = useLiveState()
  const asOf = useAsOf()
  const [word, Icon, color, meaning] = LOOKS[state.kind]
  const since = asOf === null ? null : `as of ${clock(asOf, asOf)}`
  return (
    <div className="flex min-w-0 items-center gap-1.5 text-xs" title={state.kind === 'refused' ? state.detail : meaning}>
      <Icon aria-hidden="true" className={`size-3.5 shrink-0 ${color}`} />
      <span role="status" data-connection={state.kind} className="min-w-0">
        <span className={`font-medium ${isCompact ? 'sr-only' : ''}`}>{word}</span>
        {since && state.kind !== 'connecting' ? <span className="block text-muted">{since}</span> : null}
      </span>
    </div>
  )
}

/** A line above the shortcuts while nothing is known of the server, so that nobody takes old facts for new. */
export function ConnectionStrip() {
  const state = useLiveState()
  const asOf = useAsOf()
  const reconnect = useReconnect()
  if (asOf === null || (state.kind !== 'reconnecting' && state.kind !== 'offline' && state.kind !== 'refused')) return null
  const said = state.kind === 'refused' ? state.detail : LOOKS[state.kind][3]
  return (
    <div className="flex min-h-9 shrink-0 items-center gap-2 border-t border-attention bg-raised px-3">
      <CloudOff aria-hidden="true" className="size-4 shrink-0 text-attention" />
      <p className="min-w-0 flex-1">{said} Shown as of <time dateTime={new Date(asOf).toISOString()}>{clock(asOf, asOf)}</time>.</p>
      {state.kind === 'refused' ? null : <button type="button" onClick={reconnect} className="min-h-7 shrink-0 rounded-md px-2 font-medium text-accent hover:bg-hover">Try now</button>}
    </div>
  )
}
