/** All events of a run as a file, read page by page; a million of them never stand in memory as objects. */
import type { RunSource } from '@/lib/run-feed'
import type { RunEvent } from '@/lib/run-source'
import type { Run } from '@/lib/words'
import { PAGE } from '@/lib/run-feed'

/** Read to `last`, one JSON event a line; `onProgress` hears how far it is. Ends with `signal`. */
export async function eventsFile(source: Pick<RunSource<RunEvent, Run>, 'page'>, last: number, signal: AbortSignal, onProgress: (seq: number) => void): Promise<Blob> {
  const parts: Blob[] = []
  for (let after = 0; after < last; ) {
    const page = await source.page(after, PAGE, signal)
    const end = page.items.at(-1)
    if (!end) break
    // Browsers keep the content of a Blob outside of the page's heap.
    parts.push(new Blob([page.items.map((each) => `${JSON.stringify(each)}\n`).join('')]))
    after = end.seq
    onProgress(after)
  }
  return new Blob(parts, { type: 'application/x-ndjson' })
}

/** Give a file to the browser's downloads. */
export function save(file: Blob, name: string): void {
  const url = URL.createObjectURL(file)
  const link = Object.assign(document.createElement('a'), { href: url, download: name })
  link.click()
  // The download has begun by then; the address would hold the file for as long as the page lives.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
