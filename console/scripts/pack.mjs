/** Writes `.gz` and `.br` beside every file of a directory that they make smaller; what is served needs no work then. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const TEXT = /\.(?:css|html|js|json|map|svg|txt|webmanifest)$/
const packers = {
  '.gz': (data) => gzipSync(data, { level: 9 }),
  '.br': (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }),
}

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: node scripts/pack.mjs DIRECTORY')
const isShown = (each) => each.isFile() && !each.parentPath.split('/').some((part) => part.startsWith('.vite'))
const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) => isShown(each) && TEXT.test(each.name))
for (const file of files) {
  const path = join(file.parentPath, file.name)
  const data = readFileSync(path)
  for (const [ending, pack] of Object.entries(packers)) {
    const packed = pack(data)
    if (packed.length < data.length) writeFileSync(path + ending, packed)
  }
}
