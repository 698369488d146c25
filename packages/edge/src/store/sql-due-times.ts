import { limits, WaystoneError, type DueTime, type RunDue } from '@waystone/core'
import type { Table } from '@waystone/core/sql'
import { durableTable } from './durable-sql.ts'

/** Names that begin like this are Waystone's own. */
const ownPrefix = 'waystone.'
/** How many names may wait at a time. */
const namesMax = 1_000
/** After this a name that was begun is due again, unless it was settled: its object has died. In ms. */
const againMsMin = 15_000
const againMsMax = 60 * 60_000
/** The alarm is set no further ahead than this, in ms: the runtime refuses dates after 2189. A year of 366 days. */
const alarmMsMax = 366 * 24 * 60 * 60_000

const reached = 'reached INTEGER NOT NULL DEFAULT 0'
/** `tries` says how often work was begun that had not come further than `reached`, and did not come back. */
const dueTable: Table = {
  name: 'waystone_due',
  schema: `CREATE TABLE IF NOT EXISTS waystone_due (name TEXT PRIMARY KEY, at INTEGER NOT NULL, tries INTEGER NOT NULL, ${reached}) WITHOUT ROWID`,
  added: { reached: `ALTER TABLE waystone_due ADD COLUMN ${reached}` },
}

interface Row {
  readonly [column: string]: string | number
  readonly name: string
  readonly at: number
  readonly tries: number
  readonly reached: number
}

/** Due times by name. All of them share the one alarm that a Durable Object has. */
export interface DueTimes {
  /**
   * Sets when a name is due, in ms since 1970; a time that has passed means at once. Replaces what the name had.
   * Rejects with `input_refused`, and with `limit_exceeded` when 1,000 names wait.
   */
  set(name: string, at: number): Promise<void>
  /** Forgets a name. One that is not there is fine. */
  delete(name: string): Promise<void>
  /** When a name is due, in ms since 1970. */
  get(name: string): number | undefined
}

/** A name whose work has been begun. */
export interface Begun {
  readonly name: string
  /** Until when the work is not begun again, by itself, in ms since 1970. */
  readonly at: number
  /** How often it was begun without coming back or further, this time included. */
  readonly tries: number
}

/** The due times of an object, with what only the host of its run may do. */
export interface SqlDueTimes extends DueTimes {
  /** For applications: the same times without Waystone's own. */
  readonly own: DueTimes
  /** Names and times, the earliest first. */
  list(): readonly Pick<Begun, 'name' | 'at'>[]
  /**
   * Puts a name off, before its work begins: should the object die, it is due again. Each time later, up to an hour, unless
   * the work has `reached` something else since, which is a number of its own.
   */
  begin(name: string, reached?: number): Promise<Begun>
  /** Makes a name due at once, before whose alarm its work begins. Counts as `begin`, and the alarm here as the same try. */
  beginAhead(name: string, reached: number | undefined): Promise<Begun>
  /** Forgets a name whose work has ended, unless it has got another time meanwhile. */
  settle(begun: Begun): Promise<void>
  /** The alarm went off, so that none is set: `arm` and every change set it again. */
  fired(): void
  /** Sets the alarm to the earliest time, unless it is; to one a year ahead when that is later. */
  arm(): Promise<void>
  /** Sets the alarm when there is none and should be: the runtime gives one up that has failed too often. */
  rearm(): Promise<void>
  /** Resolves at the next change. */
  changed(): Promise<void>
}

/**
 * The table of due times. The alarm of the object is always that of the earliest, or a year ahead before that: a row and the alarm
 * are written with nothing awaited between them, so that they are stored together (workerd, 2026-11).
 */
export function sqlDueTimes(storage: DurableObjectStorage): SqlDueTimes {
  const { sql } = storage
  const table = durableTable(storage, dueTable)
  /** Names whose work this object has begun, and whose rows are there. */
  const begunHere = new Map<string, 'by alarm' | 'ahead of it'>()
  /** What the alarm was last set to: `null` for none, undefined when that is not known. */
  let armed: number | null | undefined
  let change = Promise.withResolvers<void>()
  const arm = async (): Promise<void> => {
    if (!table.isThere()) return
    const [row] = sql.exec<{ at: number | null }>('SELECT min(at) AS at FROM waystone_due').toArray()
    const at = row?.at ?? null
    if (at === armed) return
    armed = at
    try {
      // One that goes off before its time finds nothing due, and is set again.
      await (at === null ? storage.deleteAlarm() : storage.setAlarm(Math.min(at, Date.now() + alarmMsMax)))
    } catch (error) {
      // Not known: the next change sets it again.
      armed = undefined
      throw error
    }
  }
  const changed = (): Promise<void> => {
    change.resolve()
    change = Promise.withResolvers()
    return arm()
  }
  const rowOf = (name: string): Row | undefined => {
    const query = 'SELECT name, at, tries, reached FROM waystone_due WHERE name = ?'
    return table.isThere() ? sql.exec<Row>(query, name).toArray()[0] : undefined
  }
  const put = ({ name, at, tries, reached }: Row): Promise<void> => {
    table.make()
    const query = 'INSERT OR REPLACE INTO waystone_due (name, at, tries, reached) VALUES (?, ?, ?, ?)'
    sql.exec(query, name, at, tries, reached)
    return changed()
  }
  const begin = async (name: string, reached: number, how: 'by alarm' | 'ahead of it'): Promise<Begun> => {
    const row = rowOf(name)
    const begun = row?.reached === reached ? row.tries : 0
    // What was begun ahead of its alarm is begun by that once more, and is the same try.
    const before = begunHere.get(name) === 'ahead of it' ? Math.max(0, begun - 1) : begun
    const now = Date.now()
    const again = now + Math.min(againMsMin * 2 ** before, againMsMax)
    const at = how === 'by alarm' ? again : Math.min(row?.at ?? now, now)
    begunHere.set(name, how)
    await put({ name, at, tries: before + 1, reached })
    return { name, at, tries: before + 1 }
  }
  const times: SqlDueTimes = {
    set: async (name, at) => {
      const row = rowOf(name)
      // Work that ended the object before this one stays counted until it was seen to come back.
      const tries = begunHere.has(name) ? 0 : (row?.tries ?? 0)
      const isSame = row?.at === at && row.tries === tries
      await (isSame ? arm() : put({ name, at, tries, reached: row?.reached ?? 0 }))
    },
    delete: async (name) => {
      if (!table.isThere()) return
      begunHere.delete(name)
      sql.exec('DELETE FROM waystone_due WHERE name = ?', name)
      await changed()
    },
    get: (name) => rowOf(name)?.at,
    list: () =>
      table.isThere()
        ? sql.exec<{ name: string; at: number }>('SELECT name, at FROM waystone_due ORDER BY at').toArray()
        : [],
    begin: (name, reached = 0) => begin(name, reached, 'by alarm'),
    beginAhead: (name, reached = 0) => begin(name, reached, 'ahead of it'),
    settle: async ({ name, at }) => {
      if (rowOf(name)?.at === at) await times.delete(name)
    },
    fired: () => {
      armed = undefined
    },
    arm,
    rearm: async () => {
      const isDue = table.isThere() && sql.exec('SELECT 1 FROM waystone_due LIMIT 1').toArray().length > 0
      if (isDue && (await storage.getAlarm()) === null) await arm()
    },
    changed: () => change.promise,
    get own() {
      return ownTimes(times)
    },
  }
  return times
}

/** One name of the table. */
export function dueTime(times: DueTimes, name: string): DueTime {
  return { set: (at) => times.set(name, at), delete: () => times.delete(name), get: () => times.get(name) }
}

/** The due time of a run; `reached` tells how far that has come. */
export function runDue(times: SqlDueTimes, name: string, reached: () => number | undefined): RunDue {
  const begin = async (): Promise<number> => (await times.beginAhead(name, reached())).tries
  return { ...dueTime(times, name), begin }
}

/** True for the names that Waystone keeps for itself. */
export function isOwnName(name: string): boolean {
  return name.startsWith(ownPrefix)
}

function ownTimes(times: SqlDueTimes): DueTimes {
  return {
    set: async (name, at) => {
      checkName(name)
      if (!Number.isFinite(at))
        throw new WaystoneError(
          'input_refused',
          `"${name}" needs a time in ms since 1970, found ${String(at)}`,
        )
      if (times.get(name) === undefined && times.list().length >= namesMax)
        throw new WaystoneError('limit_exceeded', `an object has at most ${String(namesMax)} due times`)
      await times.set(name, Math.max(0, Math.ceil(at)))
    },
    delete: async (name) => {
      checkName(name)
      await times.delete(name)
    },
    get: (name) => (isOwnName(name) ? undefined : times.get(name)),
  }
}

function checkName(name: string): void {
  if (name.length > 0 && name.length <= limits.nameCharsMax && !isOwnName(name)) return
  throw new WaystoneError(
    'input_refused',
    `a due time has a name of 1 to ${String(limits.nameCharsMax)} characters that does not begin with "${ownPrefix}", found "${name.slice(0, 80)}"`,
  )
}
