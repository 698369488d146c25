/**
 * Calls a listener of the application. What it throws reaches the application as an unhandled rejection: it must not
 * undo what it is told of, nor keep it from others.
 */
export function callListener<Args extends readonly unknown[]>(
  listener: (...args: Args) => unknown,
  ...args: Args
): void {
  try {
    listener(...args)
  } catch (error) {
    void Promise.reject(error)
  }
}
