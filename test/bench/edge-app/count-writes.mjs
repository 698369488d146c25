/**
 * The state of an object that counts what Cloudflare bills of its storage: rows that SQLite reads and writes, by table,
 * and alarms that are set, each of which is billed as one row written.
 */
export function countWrites(ctx) {
  /** Cursors that may still be read, with the tables they are about. */
  const open = []
  const written = {}
  let read = 0
  let alarms = 0
  const settle = () => {
    for (const { table, cursor } of open.splice(0)) {
      read += cursor.rowsRead
      if (cursor.rowsWritten > 0) written[table] = (written[table] ?? 0) + cursor.rowsWritten
    }
  }
  const sql = passing(ctx.storage.sql, {
    exec(query, ...values) {
      const cursor = ctx.storage.sql.exec(query, ...values)
      open.push({ table: /\bwaystone_(\w+)/.exec(query)?.[1] ?? 'other', cursor })
      return cursor
    },
  })
  const storage = passing(ctx.storage, {
    sql,
    setAlarm(...args) {
      alarms += 1
      return ctx.storage.setAlarm(...args)
    },
  })
  return {
    ctx: passing(ctx, { storage }),
    /** Counts what was asked for until now, and lets go of it. */
    settle,
    /** What was counted since this object was made. */
    tell() {
      settle()
      return { written: { ...written, alarm: alarms }, read, bytes: ctx.storage.sql.databaseSize }
    },
  }
}

/** An object of the runtime, some of whose members are others; its methods know no other `this` than it. */
function passing(target, others) {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(others, name)) return others[name]
      const member = target[name]
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
