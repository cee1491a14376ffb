/** Light, dark, or as the system is. */
import { Monitor, Moon, Sun } from 'lucide-react'
import { type Theme, useTheme } from '@/ui/pref'

const THEMES: readonly (readonly [Theme, string, typeof Sun])[] = [['system', 'System', Monitor], ['light', 'Light', Sun], ['dark', 'Dark', Moon]]

export function ThemeSwitch() {
  const [theme, setTheme] = useTheme()
  return (
    <div role="radiogroup" aria-label="Theme" className="flex rounded-md border border-line p-0.5">
      {THEMES.map(([value, name, Icon]) => (
        <label key={value} className={`flex min-h-7 flex-1 cursor-pointer items-center justify-center gap-1 rounded px-1.5 text-xs has-focus-visible:outline-2 has-focus-visible:outline-accent ${theme === value ? 'bg-selected font-medium text-ink' : 'text-muted hover:bg-hover'}`}>
          <input type="radio" name="theme" className="sr-only" checked={theme === value} onChange={() => setTheme(value)} />
          <Icon aria-hidden="true" className="size-3.5" />{name}
        </label>
      ))}
    </div>
  )
}
