/** Where a page remembers that a database was there, outside of it: what empties the one often leaves the other. */
const keyOf = (name: string): string => `waystone-${name}`

/** True when a database of this name was open in this browser before. Never, where there is no such memory. */
export function wasThere(name: string): boolean {
  try {
    return localStorage.getItem(keyOf(name)) !== null
  } catch {
    return false
  }
}

/** Remembers a database, if that is allowed. */
export function remember(name: string): void {
  try {
    localStorage.setItem(keyOf(name), 'open')
  } catch {
    // Full, or forbidden: then the next page cannot tell an emptied database from a new one.
  }
}
