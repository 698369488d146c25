import { listen, toWire, type WaystoneError, type WireError } from '@waystone/core'

/**
 * How the storage of this browser keeps what is written. Show everything but `kept`: `error.message` says what happened,
 * `error.actions` what can be done.
 */
export type StorageState =
  /** In IndexedDB, and nothing is wrong. */
  | { readonly state: 'kept' }
  /** The browser refuses storage: all is in memory, and gone with the page unless it is synced. */
  | { readonly state: 'memory'; readonly error: WireError }
  /** Works, but is empty where something was before: evicted, damaged or deleted. A run that was synced opens by its id. */
  | { readonly state: 'emptied'; readonly error: WireError }
  /** There is no room: what was to be written is not stored. Runs try again, and go on once there is. */
  | { readonly state: 'full'; readonly error: WireError }
  /** The database was thrown away while it was open: nothing is stored until the page is loaded anew. */
  | { readonly state: 'lost'; readonly error: WireError }
  /** The last use failed. Runs try again; `error.actions` has `reload` when that will not help. */
  | { readonly state: 'failing'; readonly error: WireError }

/** Hears how the storage is: at once, and whenever that changes. */
export type StorageListener = (state: StorageState) => void

/** The state of one storage, and who hears of it. */
export class StorageWatch {
  readonly #listeners = new Set<StorageListener>()
  #state: StorageState = { state: 'kept' }

  get state(): StorageState {
    return this.#state
  }

  /** Returns how to stop. */
  listen(listener: StorageListener): () => void {
    const stop = listen(this.#listeners, listener)
    tell(listener, this.#state)
    return stop
  }

  set(state: StorageState): void {
    // Again the same is no news.
    if (this.#state.state === state.state) return
    this.#state = state
    for (const listener of this.#listeners) tell(listener, state)
  }

  /** A use of the storage has failed. */
  failed(error: WaystoneError): void {
    if (error.code === 'closed' || this.#state.state === 'lost') return
    this.set({ state: states[error.code] ?? 'failing', error: toWire(error) })
  }

  /** A use has gone well; `stored`: it was a write, for which there is room then. */
  worked(options: { readonly stored: boolean }): void {
    const { state } = this.#state
    if (state === 'failing' || (state === 'full' && options.stored)) this.set({ state: 'kept' })
  }
}

const states: Partial<Record<WaystoneError['code'], 'full' | 'lost'>> = {
  storage_full: 'full',
  storage_lost: 'lost',
}

/** A listener that throws must not fail the use of the storage that it hears of. */
function tell(listener: StorageListener, state: StorageState): void {
  try {
    listener(state)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
