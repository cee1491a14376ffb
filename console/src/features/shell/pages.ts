/** The pages that the shell leads to. */
import { Bot, Cpu, FolderGit2, Gauge, Inbox, ListTree, Settings } from 'lucide-react'

export const PAGES = [
  { to: '/inbox', title: 'Inbox', keys: 'g i', Icon: Inbox },
  { to: '/runs', title: 'Runs', keys: 'g r', Icon: ListTree },
  { to: '/dashboard', title: 'Dashboard', keys: 'g d', Icon: Gauge },
  { to: '/agents', title: 'Agents', keys: 'g a', Icon: Bot },
  { to: '/workers', title: 'Workers', keys: 'g w', Icon: Cpu },
  { to: '/projects', title: 'Projects', keys: 'g p', Icon: FolderGit2 },
  { to: '/settings', title: 'Settings', keys: 'g s', Icon: Settings },
] as const

/** What a tab is called at an address. */
export function titleOf(pathname: string): string {
  const run = /^\/runs\/([1-9][0-9]*)/.exec(pathname)?.[1]
  if (run) return `Run ${run}`
  if (pathname.startsWith('/runs/new')) return 'New run'
  return PAGES.find((each) => pathname.startsWith(each.to))?.title ?? 'Agent Runner'
}
