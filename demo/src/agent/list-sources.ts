import type { Source } from './types.ts'

/** More documents than anybody waits for. */
export const sourcesMax = 40

/** A source with the name that its branch of the run has. */
export interface ListedSource {
  readonly key: string
  readonly title: string
  readonly source: Source
}

/** The sources to read: none twice, each with a key of its own. Throws when there is none. */
export function listSources(sources: readonly Source[]): readonly ListedSource[] {
  const seen = new Set<string>()
  const listed: ListedSource[] = []
  for (const source of sources) {
    const address = source.kind === 'url' ? source.url : `${source.name}\n${source.text}`
    if (seen.has(address) || listed.length === sourcesMax) continue
    seen.add(address)
    const title = titleOf(source)
    listed.push({ key: `${String(listed.length + 1)} ${title}`.slice(0, 80), title, source })
  }
  if (listed.length === 0) throw new Error('There is nothing to read: name at least one source.')
  return listed
}

/** What people call a source. */
export function titleOf(source: Source): string {
  if (source.kind === 'file') return source.name
  return source.title === '' ? source.url.replace(/^https?:\/\//, '') : source.title
}
