/** What a person prefers in this browser, and the way out. */
import { useRunCommand } from '@/ui/commands'
import { Button } from '@/ui/button'
import { CheckField } from '@/ui/field'
import { letters, usePref } from '@/ui/pref'
import { useConfig, useSignOut } from '../access'
import { ThemeSwitch } from '../shell/theme-switch'
import { Part } from './part'

export function BrowserPart() {
  const { scope, by_session: isBySession } = useConfig()
  const [areLettersOn, setLetters] = usePref(letters)
  const run = useRunCommand()
  const signOut = useSignOut()
  return (
    <Part id="browser" lead="Kept here only.">
      <div className="max-w-md space-y-5">
        <div><h3 className="mb-1.5 font-medium">Theme</h3><ThemeSwitch /></div>
        <div className="space-y-1.5">
          <h3 className="font-medium">Keyboard</h3>
          <CheckField label="Single letters are shortcuts" isOn={areLettersOn} onChange={setLetters} />
          <p className="text-xs text-muted">Off: only shortcuts with Ctrl or ⌘ are left; the palette has all commands.</p>
          <Button size="small" onClick={() => run('help')}>All shortcuts</Button>
        </div>
        <div className="space-y-1.5">
          <h3 className="font-medium">Access</h3>
          <p className="text-muted">{isBySession ? 'Signed in' : 'Without a session'}, scope {scope}.</p>
          {isBySession ? <Button size="small" onClick={signOut}>Sign out</Button> : null}
        </div>
      </div>
    </Part>
  )
}
