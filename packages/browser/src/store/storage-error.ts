import { WaystoneError } from '@waystone/core'

/** The error of Waystone for whatever IndexedDB threw: `storage_full`, `format_newer` or `storage_failed`. One of ours stays. */
export function storageError(error: unknown): WaystoneError {
  if (error instanceof WaystoneError) return error
  if (nameOf(error) === 'QuotaExceededError') {
    return new WaystoneError(
      'storage_full',
      'this browser gives the site no more storage: nothing was stored. Free some, or move the run to the edge',
      { cause: error, actions: ['move', 'retry'] },
    )
  }
  if (nameOf(error) === 'VersionError') {
    return new WaystoneError(
      'format_newer',
      'a later Waystone has opened the storage of this browser, in another tab: load this page anew',
      { cause: error, actions: ['reload'] },
    )
  }
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new WaystoneError(
    'storage_failed',
    `the storage of this browser failed, nothing was stored: ${why}`,
    {
      cause: error,
      actions: ['retry', 'reload'],
    },
  )
}

/** The error for a database that was there before and is empty now. */
export function storageLost(name: string): WaystoneError {
  return new WaystoneError(
    'storage_lost',
    `the browser has thrown away the database ${name}, which was open here: what was synced can be pulled from the edge`,
    { actions: ['reload'] },
  )
}

/** The error for a database that is new although there was one when this browser opened it last. */
export function storageEmptied(name: string, damage: string | undefined): WaystoneError {
  const why = damage === undefined ? '' : ` The browser says why: ${damage}`
  return new WaystoneError(
    'storage_lost',
    `the storage "${name}" of this browser is empty: the browser, or somebody, has thrown away what was there. Runs that were synced can be opened by their ids.${why}`,
  )
}

/** The error for a storage that was closed. */
export function storageClosed(): WaystoneError {
  return new WaystoneError('closed', 'this storage was closed: open it again')
}

/** The name of an exception, which is how the platform tells them apart. */
export function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : ''
}
