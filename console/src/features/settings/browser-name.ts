/** What a browser is called by people, from what it calls itself; the whole text where it says something unknown. */

// Others call themselves Chrome or Safari too, so the more special ones are asked first.
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\/([0-9]+)/, 'Edge'], [/\bOPR\/([0-9]+)/, 'Opera'], [/\bFirefox\/([0-9]+)/, 'Firefox'], [/\bHeadlessChrome\/([0-9]+)/, 'Headless Chrome'], [/\bChrom(?:e|ium)\/([0-9]+)/, 'Chrome'],
  [/\bVersion\/([0-9]+).*Safari\//, 'Safari'],
]
const SYSTEMS: readonly (readonly [RegExp, string])[] = [[/\b(?:iPhone|iPad)\b/, 'iOS'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'], [/\bMac OS X\b/, 'macOS'], [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux']]

export function browserName(agent: string): string {
  const found = BROWSERS.flatMap(([pattern, name]) => { const match = pattern.exec(agent); return match ? [`${name} ${match[1] ?? ''}`] : [] })[0]
  if (found === undefined) return agent
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1]
  return system === undefined ? found : `${found} on ${system}`
}
