/** The request that the form makes, to be read, and to be copied for a script. */
import { visible } from '@/lib/ansi'
import { CopyButton } from '@/ui/copy'
import { type RunRequest, shown } from './request'

export function Preview({ request }: { readonly request: RunRequest }) {
  const text = JSON.stringify(shown(request), null, 2)
  return (
    <aside aria-label="Request" className="rounded-lg border border-line-soft bg-raised">
      <div className="flex items-center gap-1 border-b border-line-soft py-1 pr-1 pl-3">
        <h2 className="flex-1 font-medium">Request</h2>
        <span className="text-xs text-muted">JSON</span>
        <CopyButton text={text} label="Copy the request as JSON" />
        <span className="text-xs text-muted">curl</span>
        <CopyButton text={curl(text)} label="Copy the request as a curl command" />
      </div>
      <pre tabIndex={0} aria-label="Request as JSON" className="max-h-[60dvh] overflow-auto p-3 font-mono text-xs leading-5 break-words whitespace-pre-wrap">{visible(text)}</pre>
    </aside>
  )
}

function curl(text: string): string {
  return `curl -sS -H "Authorization: Bearer $TOKEN" ${location.origin}/v1/runs --json '${text.replace(/'/g, `'\\''`)}'`
}
