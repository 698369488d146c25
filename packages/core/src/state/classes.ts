import type { Value } from './value.ts'

/** A class that is kept, and how. */
export interface Registered {
  readonly name: string
  readonly prototype: object
  readonly encode: (instance: object) => unknown
  readonly decode: (stored: Value) => object
}

const byName = new Map<string, Registered>()
const byPrototype = new Map<unknown, Registered>()

/** The registered class of an instance; a class that extends a registered one is another. */
export function classOf(instance: object): Registered | undefined {
  return byPrototype.get(Object.getPrototypeOf(instance))
}

/** The class that is registered under a name. */
export function classNamed(name: string): Registered | undefined {
  return byName.get(name)
}

/** Keeps a registration from now on. */
export function addClass(registered: Registered): void {
  byName.set(registered.name, registered)
  byPrototype.set(registered.prototype, registered)
}

/**
 * A value that cannot be made here: of a class that this host has not registered, of a class that this platform lacks, a
 * regular expression that it cannot read. It is kept as it is stored, and stored again to the letter, so that a host that
 * only follows or forwards a run needs none of its classes. Made by the codec alone.
 */
export class OpaqueValue {
  /** The tag it is stored under: `class`, `url`, `float16`, `regexp`. */
  readonly kind: string
  /** What is stored: of a class its name and what its `encode` gave. */
  readonly value: Value

  constructor(kind: string, value: Value) {
    this.kind = kind
    this.value = value
  }
}
