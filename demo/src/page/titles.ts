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

/** What a list calls a run: its question, or its id as long as the question is not known here. */
export function titleOfRun(run: string, titles: Readonly<Record<string, string>>): string {
  return titles[run] ?? `Run ${run.slice(0, 8)}`
}
