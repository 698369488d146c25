import { WaystoneError } from '@waystone/core'

/** The primary result codes of SQLite that say something of their own (sqlite.org/rescode.html). */
const busy = 5
const locked = 6
const corrupt = 11
const full = 13
const notADatabase = 26

/** The error of Waystone for whatever SQLite threw: `storage_full` or `storage_failed`. One of ours stays as it is. */
export function sqliteError(error: unknown, path: string): WaystoneError {
  if (error instanceof WaystoneError) return error
  switch (codeOf(error)) {
    case full:
      return new WaystoneError(
        'storage_full',
        `there is no more room for ${path}: nothing was stored. Free some, then try again`,
        { cause: error, actions: ['retry'] },
      )
    case busy:
    case locked:
      return failed(`another process holds ${path} for too long, nothing was stored: try again`, error, [
        'retry',
      ])
    case corrupt:
      return failed(`the database ${path} is damaged: restore it from a copy`, error)
    case notADatabase:
      return failed(`${path} is not a database, or encrypted: it was left as it is`, error)
    default: {
      const why = error instanceof Error ? error.message : String(error)
      return failed(`SQLite failed with ${path}, nothing was stored: ${why}`, error, ['retry'])
    }
  }
}

/** The error for a storage that was closed. */
export function sqliteClosed(path: string): WaystoneError {
  return new WaystoneError('closed', `the storage ${path} was closed: open it again`)
}

function failed(message: string, cause: unknown, actions: readonly 'retry'[] = []): WaystoneError {
  return new WaystoneError('storage_failed', message, { cause, actions })
}

/** The primary result code; an extended one has it in its low byte. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 255
    : undefined
}
