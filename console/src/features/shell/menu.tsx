/** What belongs to the person: theme, shortcuts, and the way out. */
import { Keyboard, LogOut } from 'lucide-react'
import { useRunCommand } from '@/ui/commands'
import { usePopoverClose } from '@/ui/popover'
import { useSignOut } from '../access'
import { ThemeSwitch } from './theme-switch'

const ITEM = 'flex min-h-8 w-full items-center gap-2 rounded-md px-2 text-left hover:bg-hover'

export function PersonMenu() {
  const close = usePopoverClose()
  const runCommand = useRunCommand()
  const signOut = useSignOut()
  return (
    <div className="flex flex-col gap-1">
      <div className="p-1"><ThemeSwitch /></div>
      <button type="button" className={ITEM} onClick={() => { close(); runCommand('help') }}><Keyboard aria-hidden="true" className="size-4 text-muted" />Keyboard shortcuts</button>
      <button type="button" className={ITEM} onClick={signOut}><LogOut aria-hidden="true" className="size-4 text-muted" />Sign out</button>
    </div>
  )
}
