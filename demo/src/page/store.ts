import { useEffect, useState } from 'preact/hooks'

/** One value that components follow. */
export interface Store<T> {
  get(): T
  /** Replaces some properties. */
  set(patch: Partial<T>): void
  subscribe(listener: () => void): () => void
}

/** Makes a store. Listeners are told once for all changes of one task. */
export function createStore<T extends object>(initial: T): Store<T> {
  const listeners = new Set<() => void>()
  let value = initial
  let told = true
  return {
    get: () => value,
    set(patch) {
      value = { ...value, ...patch }
      if (!told) return
      told = false
      queueMicrotask(() => {
        told = true
        for (const listener of [...listeners]) listener()
      })
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** A part of a store; the component renders again when that part is another. */
export function useStore<T extends object, Part>(store: Store<T>, part: (value: T) => Part): Part {
  const [shown, show] = useState(() => ({ part: part(store.get()) }))
  useEffect(() => {
    const look = (): void => {
      const now = part(store.get())
      show((before) => (Object.is(before.part, now) ? before : { part: now }))
    }
    look()
    return store.subscribe(look)
    // The function is a new one at every render and reads the same part.
  }, [store])
  return shown.part
}
