/** Settings, and the health of the system. */
import { Link } from '@tanstack/react-router'
import { useConfig } from '@/features/access'
import { BrowserPart } from '@/features/settings/browser'
import { LivePart } from '@/features/settings/live'
import { PARTS, type PartId } from '@/features/settings/part'
import { RetentionPart } from '@/features/settings/retention'
import { ServicesPart } from '@/features/settings/services'
import { SessionsPart } from '@/features/settings/sessions'
import { SystemPart } from '@/features/settings/system'
import { TokensPart } from '@/features/settings/tokens'
import { useNow } from '@/ui/now'
import { Page } from '@/ui/page'

const ADMIN: ReadonlySet<PartId> = new Set(['system', 'tokens', 'sessions', 'retention'])

export default function SettingsPage() {
  const now = useNow()
  const isAdmin = useConfig().scope === 'admin'
  return (
    <Page title="Settings" note={isAdmin ? null : 'You may only look: system, tokens, browsers and retention need the scope admin.'}>
      <div className="flex max-w-6xl gap-8 px-4">
        <nav aria-label="Settings" className="sticky top-0 hidden w-40 shrink-0 flex-col gap-0.5 self-start pt-4 md:flex">
          {PARTS.filter(({ id }) => isAdmin || !ADMIN.has(id)).map(({ id, title }) => <Link key={id} to="/settings" hash={id} replace className="flex min-h-8 items-center rounded-md px-2 text-muted hover:bg-hover hover:text-ink">{title}</Link>)}
        </nav>
        <div className="min-w-0 flex-1">
          {isAdmin ? <SystemPart now={now} /> : null}
          <ServicesPart now={now} />
          {isAdmin ? <TokensPart now={now} /> : null}
          {isAdmin ? <SessionsPart now={now} /> : null}
          {isAdmin ? <RetentionPart /> : null}
          <LivePart />
          <BrowserPart />
        </div>
      </div>
    </Page>
  )
}
