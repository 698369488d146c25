import { errorClasses } from './value.ts'

/** What constructors of errors define hidden; of an error that is all that is hidden and kept. */
const hidden: readonly PropertyKey[] = ['message', 'cause', 'errors']

/**
 * What is kept of an error beside its class: its message, cause and errors, a name of its own, and every visible property.
 * The stack is not: each engine writes another one, and the lines it names are of code that may be gone.
 */
export function errorParts(error: object): Record<string, unknown> {
  const parts = {}
  for (const key of Reflect.ownKeys(error)) {
    const property = Object.getOwnPropertyDescriptor(error, key)
    const isKept = property?.enumerable || hidden.includes(key) || key === 'name'
    // As it is defined, so that an accessor is found by whoever copies.
    if (isKept && key !== 'stack') Object.defineProperty(parts, key, { ...property, enumerable: true })
  }
  return parts
}

/** The name of the class of an error that is kept. */
export function errorClassName(error: object): unknown {
  const proto: unknown = Object.getPrototypeOf(error)
  for (const [name, found] of errorClasses) if (found?.prototype === proto) return name
  return undefined
}

/** The error that `errorParts` took apart. Its stack is its name and message. */
export function makeError(className: unknown, parts: Readonly<Record<string, unknown>>): object {
  const made = errorClasses.get(className)
  if (!made) throw new TypeError(`there is no class of errors named ${String(className)}`)
  // The first argument of an AggregateError is a list; the others take a message.
  const error = new made(className === 'AggregateError' ? [] : undefined) as Error
  Reflect.deleteProperty(error, 'errors')
  const define = (key: string, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true })
  }
  for (const [key, value] of Object.entries(parts)) define(key, value, !hidden.includes(key))
  const isPlain = typeof error.name === 'string' && typeof error.message === 'string'
  define('stack', isPlain ? `${error.name}: ${error.message}` : '', false)
  return error
}
