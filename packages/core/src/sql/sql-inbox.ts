import { checkInboxRoom, type Inbox, type InboxPut } from '../ports/inbox.ts'
import { utf8 } from '../state/digest.ts'
import { inboxItemOf } from '../sync/wire.ts'
import { lazyTable, runsIn, type Table } from './lazy-table.ts'
import { keysOf, type Keys, type RunNumbers, type Sql } from './sql.ts'

/** One row an item that waits. */
export const inboxTable: Table = {
  name: 'waystone_inbox',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_inbox (number INTEGER PRIMARY KEY, id TEXT NOT NULL, ask TEXT, item TEXT NOT NULL)',
}

interface Waiting {
  readonly number: number
  readonly id: string
  readonly ask: string | null
  readonly bytes: number
}

/** Inboxes in SQLite, in order of arrival. No index: an inbox is short, and an index is a row more at every put. */
export function sqlInbox(sql: Sql, numbers: RunNumbers): Inbox {
  const runs = runsIn(lazyTable(sql, inboxTable), numbers)
  const waiting = ({ first, last }: Keys): readonly Waiting[] => [
    ...sql.rows<Waiting>(
      'SELECT number, id, ask, octet_length(item) AS bytes FROM waystone_inbox WHERE number BETWEEN ? AND ? ORDER BY number',
      first,
      last,
    ),
  ]
  return {
    async put(run, item): Promise<InboxPut> {
      return sql.transaction('relaxed', () => {
        const keys = keysOf(runs.make(run))
        const ask = item.type === 'answer' ? item.ask : null
        const others = waiting(keys)
        if (others.some(({ id }) => id === item.id)) return 'known'
        if (ask !== null && others.some((one) => one.ask === ask)) return 'taken'
        const json = JSON.stringify(item)
        const bytes = others.reduce((sum, one) => sum + one.bytes, utf8(json).byteLength)
        checkInboxRoom(run, item, { items: others.length + 1, bytes })
        sql.run(
          'INSERT INTO waystone_inbox (number, id, ask, item) VALUES (?, ?, ?, ?)',
          (others.at(-1)?.number ?? keys.first) + 1,
          item.id,
          ask,
          json,
        )
        return 'added'
      })
    },
    async list(run) {
      const number = runs.find(run)
      if (number === undefined) return []
      const { first, last } = keysOf(number)
      const query = 'SELECT item FROM waystone_inbox WHERE number BETWEEN ? AND ? ORDER BY number'
      return [...sql.rows<{ item: string }>(query, first, last)].map(({ item }) =>
        inboxItemOf(JSON.parse(item) as Record<string, unknown>),
      )
    },
    async remove(run, ids) {
      const number = runs.find(run)
      if (number === undefined) return
      const { first, last } = keysOf(number)
      sql.transaction('relaxed', () => {
        const query = 'DELETE FROM waystone_inbox WHERE number BETWEEN ? AND ? AND id = ?'
        for (const id of ids) sql.run(query, first, last, id)
      })
    },
  }
}
