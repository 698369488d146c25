import type { RunId, Streams } from '@waystone/core'
import { streamRows, type RunNumbers, type Sql } from '@waystone/core/sql'

/** The side log of streams in SQLite. */
export function sqliteStreams(sql: Sql, runs: RunNumbers): Streams {
  const rows = streamRows(sql)
  const nameOf = (run: RunId, stream: string): string | undefined => {
    const number = runs.find(run)
    return number === undefined ? undefined : `${String(number)} ${stream}`
  }
  return {
    async append(run, stream, { at, text }) {
      const name =
        nameOf(run, stream) ?? sql.transaction('relaxed', () => `${String(runs.make(run))} ${stream}`)
      rows.put(name, at, text)
    },
    async read(run, stream, from) {
      const name = nameOf(run, stream)
      return { at: from, text: name === undefined ? '' : rows.from(name, from) }
    },
    async remove(run, streams) {
      sql.transaction('relaxed', () => {
        for (const stream of streams) {
          const name = nameOf(run, stream)
          if (name !== undefined) rows.remove(name)
        }
      })
    },
  }
}
