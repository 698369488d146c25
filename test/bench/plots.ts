import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { drawPage, type KeptReport } from './plots/page.ts'

// Draws docs/measurements.md and its images from the reports that `--keep` has kept.

const docs = join(import.meta.dirname, '../../docs')
const folder = join(docs, 'measured')
await mkdir(folder, { recursive: true })
const files = await readdir(folder)
const reports = await Promise.all(
  files
    .filter((file) => file.endsWith('.json'))
    .map(async (file) => JSON.parse(await readFile(join(folder, file), 'utf8')) as KeptReport),
)
for (const file of files) if (file.endsWith('.svg')) await rm(join(folder, file))
for (const [path, content] of drawPage(reports)) await writeFile(join(docs, path), content)
