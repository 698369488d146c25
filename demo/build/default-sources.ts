import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One document that the demo brings along. */
export interface DefaultSource {
  /** Its name below `sources/`. */
  readonly file: string
  readonly title: string
  readonly text: string
}

/** Packages that many people know. One that is not installed is left out. */
const packages = [
  'hono',
  'idb',
  'comlink',
  'minisearch',
  'marked',
  '@noble/hashes',
  'zod',
  'semver',
  'preact',
  'dompurify',
]
const documentsMax = 3
const bytesMax = 200_000

/** The Markdown documents of well-known packages in node_modules: something to ask about, and nothing to commit. */
export function defaultSources(nodeModules: string): readonly DefaultSource[] {
  return packages.flatMap((name) => {
    const folder = join(nodeModules, name)
    const readme = readText(join(folder, 'README.md'))
    const short = name.replace(/^@/, '').replaceAll('/', '-')
    const documents = readme === undefined ? [] : [{ file: `${short}.md`, title: name, text: readme }]
    for (const file of markdownIn(join(folder, 'docs'))) {
      const text = readText(join(folder, 'docs', file))
      if (text !== undefined)
        documents.push({ file: `${short}-${file}`, title: `${name}: ${file.slice(0, -3)}`, text })
    }
    return documents.slice(0, documentsMax)
  })
}

function markdownIn(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => /^[\w.-]+\.md$/.test(file))
        .sort()
    : []
}

function readText(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  const text = readFileSync(path, 'utf8')
  return Buffer.byteLength(text) > bytesMax ? undefined : text
}
