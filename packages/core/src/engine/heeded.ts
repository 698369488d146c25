/**
 * The same promise, which tells when somebody listens to it: `await`, `then`, `catch` and `Promise.all` all do. One that
 * rejects with nobody listening is no unhandled rejection any more: whoever made it says so.
 */
export function heeded<T>(promise: Promise<T>, onHeard: () => void): Promise<T> {
  const listen = promise.then.bind(promise) as (...args: unknown[]) => unknown
  promise.catch(() => undefined)
  Reflect.set(promise, 'then', (...args: unknown[]): unknown => {
    onHeard()
    return listen(...args)
  })
  // `await` and `Promise.all` ask `then` only of a promise with another constructor than `Promise`.
  Reflect.set(promise, 'constructor', undefined)
  return promise
}
