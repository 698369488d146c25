/** Adds a listener to those of somebody. Returns how to stop: one function may be given twice, and each time stopped by itself. */
export function listen<Args extends readonly unknown[]>(
  listeners: Set<(...args: Args) => void>,
  listener: (...args: Args) => void,
): () => void {
  const own = (...args: Args): void => listener(...args)
  listeners.add(own)
  return () => listeners.delete(own)
}
