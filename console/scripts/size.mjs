/** What a browser loads first, in gzip bytes, against the budget; the last line is JSON. Of `dist`, or of a directory. */
import { readFileSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'

const KB = 1024
const most = { initial_js_gz: 140 * KB, css_gz: 12 * KB, lazy_chunk_gz: 90 * KB, dist_raw: 1.2 * KB * KB }
const [given] = process.argv.slice(2)
const dist = given === undefined ? new URL('../dist/', import.meta.url) : pathToFileURL(`${resolve(given)}/`)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const packed = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length
const total = (files) => [...files].reduce((sum, file) => sum + packed(file), 0)

const initial = new Set()
const css = new Set()
const walk = (key) => {
  const chunk = manifest[key]
  if (initial.has(chunk.file)) return
  initial.add(chunk.file)
  for (const file of chunk.css ?? []) css.add(file)
  for (const each of chunk.imports ?? []) walk(each)
}
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) walk(key)

const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((each) => each.isFile() && !/\.(?:br|gz)$/.test(each.name))
const raw = files.reduce((sum, each) => sum + readFileSync(`${each.parentPath}/${each.name}`).length, 0)
const lazy = Object.values(manifest).filter((chunk) => chunk.file.endsWith('.js') && !initial.has(chunk.file))
const html = readFileSync(new URL('index.html', dist), 'utf8')
const isInline = /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i.test(html)

const found = {
  initial_js_gz: total(initial),
  css_gz: total(css),
  lazy_chunk_gz: Math.max(0, ...lazy.map((chunk) => packed(chunk.file))),
  dist_raw: raw,
}
const over = Object.keys(most).filter((name) => found[name] > most[name])
if (isInline) over.push('inline')
for (const [name, bytes] of Object.entries(found))
  console.log(`${name.padEnd(14)} ${(bytes / KB).toFixed(1).padStart(8)} KB of ${(most[name] / KB).toFixed(0)}`)
console.log(JSON.stringify({ ...found, most, over, ok: over.length === 0 }))
process.exitCode = over.length ? 1 : 0
