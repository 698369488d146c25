import type { Table } from './lazy-table.ts'
import { logTable } from './log-rows.ts'
import { coldTable } from './sql-compact.ts'
import { inboxTable } from './sql-inbox.ts'
import { snapshotsTable } from './sql-snapshots.ts'
import { summaryTable } from './sql-summaries.ts'
import { tailsTable } from './sql-tails.ts'
import { streamsTable } from './stream-rows.ts'

/** What stores of runs keep, for who makes all tables at once: a file costs nothing for one that stays empty. */
export const runTables: readonly Table[] = [
  ...[logTable, coldTable, summaryTable, tailsTable],
  ...[snapshotsTable, inboxTable, streamsTable],
]
