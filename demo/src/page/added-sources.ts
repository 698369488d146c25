import type { Source } from '../agent/types.ts'

const fileBytesMax = 2_000_000
const readable = /\.(md|mdx|markdown|txt|text|html?|rst)$/i

/** Turns a typed address into a source; undefined when it is none. */
export function sourceFromAddress(text: string): Source | undefined {
  const address = /^[a-z][a-z0-9+.-]*:/i.test(text.trim()) ? text.trim() : `https://${text.trim()}`
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || !url.hostname.includes('.')) return undefined
  return { kind: 'url', url: url.href, title: `${url.hostname}${url.pathname}`.replace(/\/$/, '') }
}

/** Reads dropped or chosen files; those that are no text are named instead. */
export async function sourcesFromFiles(
  files: Iterable<File>,
): Promise<{ readonly sources: readonly Source[]; readonly refused: readonly string[] }> {
  const sources: Source[] = []
  const refused: string[] = []
  for (const file of files) {
    if (file.size > fileBytesMax || !(readable.test(file.name) || file.type.startsWith('text/')))
      refused.push(file.name)
    else sources.push({ kind: 'file', name: file.name, type: file.type, text: await file.text() })
  }
  return { sources, refused }
}
