import { parseDelta, type Entry } from '@waystone/core'

/** Where the newest commit changed the state: the JSON of each path, with all that lead to it. */
export interface Changed {
  readonly exact: ReadonlySet<string>
  readonly above: ReadonlySet<string>
}

/** What the newest commit changed; nothing before the first one. */
export function changedByLastCommit(entries: readonly Entry[]): Changed {
  const exact = new Set<string>()
  const above = new Set<string>()
  const commit = entries.findLast(({ kind }) => kind === 'commit')
  if (commit?.kind !== 'commit') return { exact, above }
  const mark = (path: readonly (string | number)[]): void => {
    exact.add(JSON.stringify(path))
    for (let depth = 0; depth < path.length; depth++) above.add(JSON.stringify(path.slice(0, depth)))
  }
  for (const op of parseDelta(commit.body.delta)) {
    const [kind, path] = op
    // Only lists take a list of items; text and bytes are marked as a whole.
    if (kind === 'splice' && Array.isArray(op[4])) op[4].forEach((_, index) => mark([...path, op[2] + index]))
    else mark(path)
  }
  return { exact, above }
}
