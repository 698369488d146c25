import { keep, keptValue } from './address.ts'
import { page } from './state.ts'

const titlesKey = 'waystone questions'
const titlesMax = 200

/** The questions of runs that this browser has seen: a list of runs does not carry them. */
export function loadTitles(): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(keptValue(titlesKey) ?? '{}')
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(Object.entries(value).map(([run, title]) => [run, String(title)]))
  } catch {
    return {}
  }
}

/** Remembers the question of a run. */
export function rememberTitle(run: string, title: string): void {
  const { titles } = page.get()
  if (titles[run] === title) return
  const all = Object.fromEntries([...Object.entries(titles), [run, title]].slice(-titlesMax))
  page.set({ titles: all })
  keep(titlesKey, JSON.stringify(all))
}

/** An id for a run that people can read: the words of its question and some letters of chance. */
export function idFor(question: string): string {
  const words = question
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '')
  const chance = [...crypto.getRandomValues(new Uint8Array(5))]
    .map((byte) => (byte % 36).toString(36))
    .join('')
  return words === '' ? `ask-${chance}` : `${words}-${chance}`
}

/** What a list calls a run: its question, or the words of its id. */
export function titleOfRun(run: string, titles: Readonly<Record<string, string>>): string {
  const known = titles[run]
  if (known !== undefined) return known
  const words = run.replace(/-[a-z0-9]{5}$/, '').replaceAll('-', ' ')
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}
