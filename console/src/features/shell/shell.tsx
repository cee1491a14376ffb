/** What is around every page: where one can go, how the connection is, what the keys do. */
import { Link, useRouterState } from '@tanstack/react-router'
import { Ellipsis, Plus, Search, SlidersHorizontal } from 'lucide-react'
import { type ReactNode, useEffect } from 'react'
import { Boundary } from '@/ui/boundary'
import { buttonClass } from '@/ui/button'
import { ShortcutBar, useRunCommand } from '@/ui/commands'
import { KeyCaps } from '@/ui/keycaps'
import { Popover, usePopoverClose } from '@/ui/popover'
import { ConnectionBadge, ConnectionStrip } from './connection'
import { PersonMenu } from './menu'
import { PAGES, titleOf } from './pages'

type Page = (typeof PAGES)[number]

/** `waiting` is how many things in the Inbox need a person. */
export function Shell({ waiting, children }: { readonly waiting: number; readonly children: ReactNode }) {
  const pathname = useRouterState({ select: (state) => state.location.pathname })
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${titleOf(pathname)} · Agent Runner`
  }, [pathname, waiting])
  return (
    <div className="flex h-dvh flex-col md:flex-row">
      <a href="#main" className="sr-only z-40 focus:not-sr-only focus:absolute focus:m-2 focus:rounded-md focus:bg-surface focus:p-2">Skip to content</a>
      <Rail waiting={waiting} />
      <TopBar />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <main id="main" tabIndex={-1} className="min-h-0 flex-1 overflow-auto outline-none"><Boundary resetKey={pathname}>{children}</Boundary></main>
        <footer>
          <ConnectionStrip />
          <ShortcutBar />
        </footer>
      </div>
      <BottomBar waiting={waiting} />
    </div>
  )
}

function Rail({ waiting }: { readonly waiting: number }) {
  const runCommand = useRunCommand()
  return (
    <header className="hidden w-13 shrink-0 flex-col border-r border-line bg-raised p-2 md:flex xl:w-48">
      <Link to="/runs" className="flex min-h-9 items-center gap-2 rounded-md px-2 font-semibold hover:bg-hover">
        <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={20} height={20} className="shrink-0" /><span className="sr-only xl:not-sr-only">Agent Runner</span>
      </Link>
      <Link to="/runs/new" title="New run" className={`${buttonClass('primary')} mt-2 px-2!`}><Plus aria-hidden="true" className="size-4" /><span className="sr-only xl:not-sr-only">New run</span></Link>
      <button type="button" title="Command palette" onClick={() => runCommand('palette')} className="mt-1 flex min-h-8 items-center gap-2 rounded-md px-2 text-muted hover:bg-hover">
        <Search aria-hidden="true" className="size-4 shrink-0" /><span className="sr-only flex-1 text-left xl:not-sr-only">Search</span>
        <span aria-hidden="true" className="hidden xl:inline"><KeyCaps keys="Mod+k" /></span>
      </button>
      <nav aria-label="Main" className="mt-2 flex flex-col gap-0.5">{PAGES.map((page) => <RailLink key={page.to} page={page} waiting={page.to === '/inbox' ? waiting : 0} />)}</nav>
      <div className="mt-auto flex flex-col gap-1">
        <div className="px-2 py-1 max-xl:hidden"><ConnectionBadge /></div>
        <div className="grid min-h-8 place-items-center xl:hidden"><ConnectionBadge isCompact /></div>
        <Popover side="above" name="Preferences" className="flex min-h-8 w-full items-center gap-2 rounded-md px-2 text-muted hover:bg-hover" label={<><SlidersHorizontal aria-hidden="true" className="size-4 shrink-0" /><span aria-hidden="true" className="max-xl:hidden">Preferences</span></>}><PersonMenu /></Popover>
      </div>
    </header>
  )
}

function RailLink({ page: { to, title, Icon }, waiting }: { readonly page: Page; readonly waiting: number }) {
  return (
    <Link
      to={to} title={title} activeOptions={{ includeSearch: false }} className="relative flex min-h-8 items-center gap-2 rounded-md px-2"
      activeProps={{ className: 'bg-selected font-medium text-ink' }} inactiveProps={{ className: 'text-muted hover:bg-hover hover:text-ink' }}
    >
      <Icon aria-hidden="true" className="size-4 shrink-0" /><span className="sr-only xl:not-sr-only">{title}</span><Badge count={waiting} className="ml-auto max-xl:absolute max-xl:top-0 max-xl:right-0" />
    </Link>
  )
}

function Badge({ count, className }: { readonly count: number; readonly className: string }) {
  if (count === 0) return null
  return (
    <span className={`inline-grid h-4.5 min-w-4.5 place-items-center rounded-full bg-accent px-1 text-[11px] font-semibold text-on-accent ${className}`}>
      {count > 99 ? '99+' : count}<span className="sr-only"> waiting</span>
    </span>
  )
}

function TopBar() {
  const runCommand = useRunCommand()
  return (
    <header className="flex h-11 shrink-0 items-center gap-2 border-b border-line bg-raised pr-1 pl-3 md:hidden">
      <Link to="/runs" className="flex items-center gap-2 font-semibold"><img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={20} height={20} />Agent Runner</Link>
      <div className="ml-auto"><ConnectionBadge /></div>
      <button type="button" aria-label="Search and commands" onClick={() => runCommand('palette')} className={buttonClass('quiet')}><Search aria-hidden="true" className="size-4" /></button>
    </header>
  )
}

const BAR_ITEM = 'relative flex h-full min-w-0 flex-1 flex-col items-center justify-center gap-0.5 text-[11px]'
const FIRST = PAGES.slice(0, 2)
const THIRD = PAGES.slice(2, 3)

function BottomBar({ waiting }: { readonly waiting: number }) {
  return (
    <nav aria-label="Main" className="flex h-14 shrink-0 items-stretch border-t border-line bg-raised md:hidden">
      {FIRST.map((page) => <BarLink key={page.to} page={page} waiting={page.to === '/inbox' ? waiting : 0} />)}
      <Link to="/runs/new" className={`${BAR_ITEM} text-accent`}><Plus aria-hidden="true" className="size-5" />New</Link>
      {THIRD.map((page) => <BarLink key={page.to} page={page} waiting={0} />)}
      <div className="grid flex-1 [&>div]:h-full">
        <Popover side="above" align="right" className={`${BAR_ITEM} w-full text-muted`} label={<><Ellipsis aria-hidden="true" className="size-5" />More</>}><MorePages /></Popover>
      </div>
    </nav>
  )
}

function MorePages() {
  const close = usePopoverClose()
  return (
    <>
      {PAGES.slice(3).map(({ to, title, Icon }) => (
        <Link key={to} to={to} onClick={close} className="flex min-h-10 items-center gap-2 rounded-md px-2 hover:bg-hover"><Icon aria-hidden="true" className="size-4 text-muted" />{title}</Link>
      ))}
      <hr className="my-1 border-line-soft" />
      <PersonMenu />
    </>
  )
}

function BarLink({ page: { to, title, Icon }, waiting }: { readonly page: Page; readonly waiting: number }) {
  return (
    <Link to={to} activeOptions={{ includeSearch: false }} className={BAR_ITEM} activeProps={{ className: 'font-semibold text-ink' }} inactiveProps={{ className: 'text-muted' }}>
      <Icon aria-hidden="true" className="size-5" />{title}
      <Badge count={waiting} className="absolute top-1 left-[calc(50%+4px)]" />
    </Link>
  )
}
