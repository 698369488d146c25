import { DatabaseSync } from 'node:sqlite'
import { lazyTable, type Sql, type SqlValue, type Table } from '@waystone/core/sql'
import { describe, expect, it } from 'vitest'

const table: Table = {
  name: 'waystone_things',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_things (one INTEGER PRIMARY KEY, size INTEGER NOT NULL DEFAULT 7)',
  added: { size: 'ALTER TABLE waystone_things ADD COLUMN size INTEGER NOT NULL DEFAULT 7' },
}

/** A database in memory. */
function openSql(): { readonly db: DatabaseSync; readonly sql: Pick<Sql, 'run' | 'rows'> } {
  const db = new DatabaseSync(':memory:')
  const bound = (values: readonly SqlValue[]) => values as readonly (string | number | null | Uint8Array)[]
  const sql: Pick<Sql, 'run' | 'rows'> = {
    run: (query, ...values) => void db.prepare(query).run(...bound(values)),
    rows: <Row>(query: string, ...values: readonly SqlValue[]) =>
      db.prepare(query).iterate(...bound(values)) as Iterable<unknown> as Iterable<Row>,
  }
  return { db, sql }
}

describe('a table that is made when it is first written to', () => {
  it('is not there before, is there for everybody from then on, and is made once', () => {
    const { sql } = openSql()
    const [one, other] = [lazyTable(sql, table), lazyTable(sql, table)]
    expect([one.isThere(), other.isThere()]).toEqual([false, false])
    one.make()
    other.make()
    expect([one.isThere(), other.isThere()]).toEqual([true, true])
  })

  it('is made again after a transaction was taken back that had made it', () => {
    const { db, sql } = openSql()
    const things = lazyTable(sql, table)
    db.exec('BEGIN')
    things.make()
    db.exec('INSERT INTO waystone_things (one) VALUES (1)')
    db.exec('ROLLBACK')
    expect(things.isThere()).toBe(false)
    things.make()
    db.exec('INSERT INTO waystone_things (one) VALUES (2)')
    expect(db.prepare('SELECT one FROM waystone_things').all()).toMatchObject([{ one: 2 }])
  })

  it('gets the columns that an earlier version did not have, with what stands in it', () => {
    const { db, sql } = openSql()
    db.exec('CREATE TABLE waystone_things (one INTEGER PRIMARY KEY); INSERT INTO waystone_things VALUES (1)')
    expect(lazyTable(sql, table).isThere()).toBe(true)
    expect(db.prepare('SELECT one, size FROM waystone_things').all()).toMatchObject([{ one: 1, size: 7 }])
  })
})
