import { WaystoneError, type RunId } from '@waystone/core'

const schema = `
  CREATE TABLE IF NOT EXISTS waystone_stalls (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, count INTEGER NOT NULL);
`

/** Counts the wake-ups of a run that brought no entry. */
export interface Stalls {
  /** One more wake-up at this head; gives how many there were at it, this one included. */
  count(seq: number): number
  /** The run came back by itself: whatever it did, it was not killed. */
  clear(): void
}

/** Stored, since what is counted ends the process. */
export function sqlStalls({ sql }: DurableObjectStorage): Stalls {
  sql.exec(schema)
  return {
    count: (seq) => {
      const [before] = sql
        .exec<{ seq: number; count: number }>('SELECT seq, count FROM waystone_stalls')
        .toArray()
      const count = before?.seq === seq ? before.count + 1 : 1
      sql.exec('INSERT OR REPLACE INTO waystone_stalls (one, seq, count) VALUES (1, ?, ?)', seq, count)
      return count
    },
    clear: () => {
      sql.exec('DELETE FROM waystone_stalls')
    },
  }
}

/** Why a run is paused whose wake-ups only cost money. */
export function stalled(run: RunId, count: number): WaystoneError {
  return new WaystoneError(
    'bug',
    `run ${run} was woken ${String(count)} times at the edge and made no progress: its step may use up the memory or time of an object`,
    { run },
  )
}
