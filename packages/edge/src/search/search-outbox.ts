import { parseLine, type Digest, type Head, type RunLog } from '@waystone/core'
import type { LazyTable, Table } from '@waystone/core/sql'
import { durableTable } from '../store/durable-sql.ts'
import type { DueTimes } from '../store/sql-due-times.ts'
import type { EntryText } from './search-entry.ts'
import type { RunIndex } from './tenant-search.ts'
import { storedText } from './text-of.ts'

/** When the shard of a run is to be told of its entries. */
export const searchName = 'waystone.search'

/** Entries are told together: those of so long, in ms. */
const tellAfterMs = 5_000
/** Text that is told at once, in characters, and how often in one alarm. */
const toldCharsMax = 500_000
const tellsMax = 100

const toldTable: Table = {
  name: 'waystone_search_told',
  schema:
    'CREATE TABLE IF NOT EXISTS waystone_search_told (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL, first INTEGER NOT NULL)',
}

/** What the shard has of the run, as far as this object knows: entries from `first` up to `head`. */
interface Told {
  readonly head: Head | undefined
  readonly first: number
}

/**
 * What the shard of a run is still to be told of it. That there is something is written down, as an alarm, together with the entries
 * or before they are let go; how far the shard is, it says itself. So it comes to have what the log has, whatever is killed.
 */
export class SearchOutbox {
  readonly #sql: SqlStorage
  readonly #table: LazyTable
  readonly #times: DueTimes
  readonly #log: RunLog
  readonly #isOn: boolean
  #told: Told | undefined
  /** True while the alarm is set, so that an append reads nothing. */
  #waits: boolean

  constructor(storage: DurableObjectStorage, times: DueTimes, log: RunLog, isOn: boolean) {
    this.#sql = storage.sql
    this.#table = durableTable(storage, toldTable)
    this.#times = times
    this.#log = log
    this.#isOn = isOn
    this.#told = toldIn(storage)
    this.#waits = times.get(searchName) !== undefined
  }

  /** Call it when the run was opened: it may have been told of what is not so any more, or of nothing yet. */
  async opened(): Promise<void> {
    const head = this.#log.fold?.head
    const told = this.#told
    const isTold = this.#isOn
      ? head === undefined ||
        (told?.head?.digest === head.digest && told.first === ((await this.#log.reader.first()) ?? 0))
      : told === undefined
    if (!isTold) await this.changed()
  }

  /** Call it when entries were added, or taken back, and before some are let go; before anything else is awaited. */
  async changed(): Promise<void> {
    if (this.#waits || (!this.#isOn && this.#told === undefined)) return
    this.#waits = true
    // From here on there may be something in the shard.
    if (this.#told === undefined) this.#put({ head: undefined, first: 0 })
    await this.#times.set(searchName, Date.now() + tellAfterMs)
  }

  /** Tells what was not told. Rejects when the shard cannot be reached. `isOver`: true when nothing more is to be told. */
  async tell(index: RunIndex, isOver: () => boolean): Promise<void> {
    this.#waits = false
    try {
      if (this.#isOn) await this.#tellAll(index, isOver)
      else await this.#forget(index)
    } catch (error) {
      // It stays due.
      this.#waits = true
      throw error
    }
  }

  async #forget(index: RunIndex): Promise<void> {
    if (this.#told === undefined) return
    await index.remove()
    this.#told = undefined
    this.#sql.exec('DELETE FROM waystone_search_told')
  }

  async #tellAll(index: RunIndex, isOver: () => boolean): Promise<void> {
    let after = this.#told?.head
    for (let tells = 0; !isOver() && this.#log.fold !== undefined; tells += 1) {
      if (tells === tellsMax) return this.changed()
      const { head: end } = this.#log.fold
      const first = (await this.#log.reader.first()) ?? 0
      const from = (await this.#isInLog(after, first)) ? (after?.seq ?? -1) + 1 : 0
      const { entries, head } = await this.#textsFrom(Math.max(from, first))
      const reached = head ?? after
      if (reached === undefined) return
      const put = await index.put({ run: this.#log.run, after, from, first, entries, head: reached })
      if (isOver()) return
      after = put.ok ? reached : put.head
      if (put.ok) this.#put({ head: reached, first })
      if (put.ok && (head === undefined || head.seq >= end.seq)) return
    }
  }

  /** True when what the shard has of the run leads to where the log goes on. */
  async #isInLog(head: Head | undefined, first: number): Promise<boolean> {
    // What was let go cannot be compared: it is forgotten there, too.
    if (head === undefined || head.seq < first) return true
    const line = await this.#log.reader.line(head.seq)
    return line !== undefined && parseLine(line).digest === head.digest
  }

  /** The texts of some entries, and the last of these; undefined when there are none. */
  async #textsFrom(
    from: number,
  ): Promise<{ readonly entries: readonly EntryText[]; readonly head: Head | undefined }> {
    const entries: EntryText[] = []
    let head: Head | undefined
    let chars = 0
    for (const line of await this.#log.lines(from)) {
      const stored = parseLine(line)
      const { seq, kind, time, digest } = stored
      const text = await storedText(stored, (entries) => this.#log.reader.resolve(entries))
      if (text !== '') entries.push({ seq, kind, time, text })
      head = { seq, digest }
      chars += text.length
      if (chars > toldCharsMax) break
    }
    return { entries, head }
  }

  #put(told: Told): void {
    this.#table.make()
    this.#sql.exec(
      'INSERT OR REPLACE INTO waystone_search_told (one, seq, digest, first) VALUES (1, ?, ?, ?)',
      told.head?.seq ?? -1,
      told.head?.digest ?? '',
      told.first,
    )
    this.#told = told
  }
}

/** True when the shard of the run of this object may have something of it. */
export function isIndexed(storage: DurableObjectStorage): boolean {
  return toldIn(storage) !== undefined
}

function toldIn(storage: DurableObjectStorage): Told | undefined {
  if (!durableTable(storage, toldTable).isThere()) return undefined
  const query = 'SELECT seq, digest, first FROM waystone_search_told'
  const [row] = storage.sql.exec<{ seq: number; digest: string; first: number }>(query).toArray()
  if (row === undefined) return undefined
  const { seq, digest, first } = row
  return { head: seq < 0 ? undefined : { seq, digest: digest as Digest }, first }
}
