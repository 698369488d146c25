import { inboxFull, limits, parseInboxItem, type Inbox } from '@waystone/core'

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_inbox (number INTEGER PRIMARY KEY, id TEXT NOT NULL, ask TEXT, item TEXT NOT NULL);
`

/** The inbox of the one run that lives in this object. */
export function sqlInbox({ sql }: DurableObjectStorage): Inbox {
  sql.exec(schema)
  return {
    put: (run, item) => {
      const ask = item.type === 'answer' ? item.ask : null
      const waiting = sql
        .exec<{ id: string; ask: string | null }>('SELECT id, ask FROM waystone_inbox')
        .toArray()
      if (waiting.some(({ id }) => id === item.id)) return Promise.resolve('known')
      if (ask !== null && waiting.some((one) => one.ask === ask)) return Promise.resolve('taken')
      if (waiting.length >= limits.inboxItemsMax) return Promise.reject(inboxFull(run))
      sql.exec(
        'INSERT INTO waystone_inbox (id, ask, item) VALUES (?, ?, ?)',
        item.id,
        ask,
        JSON.stringify(item),
      )
      return Promise.resolve('added')
    },
    list: () => {
      const rows = sql.exec<{ item: string }>('SELECT item FROM waystone_inbox ORDER BY number').toArray()
      return Promise.resolve(rows.map(({ item }) => parseInboxItem(JSON.parse(item))))
    },
    remove: (_run, ids) => {
      for (const id of ids) sql.exec('DELETE FROM waystone_inbox WHERE id = ?', id)
      return Promise.resolve()
    },
  }
}
