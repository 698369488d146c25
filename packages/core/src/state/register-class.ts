import { WaystoneError } from '../errors.ts'
import { limits } from '../limits.ts'
import { addClass, classNamed, classOf, type Registered } from './classes.ts'
import { kindOf } from './value.ts'

/** A class whose instances a state can hold. */
export interface ClassRegistration<Instance extends object, Stored> {
  /** What instances are stored under: never change it. 1 to 200 characters. */
  readonly name: string
  readonly class: { readonly prototype: Instance }
  /** What is stored of an instance: any value. Must not change the instance, and give the same for the same. */
  readonly encode: (instance: Instance) => Stored
  /** The instance again. What is stored may be years old: it has to read whatever `encode` ever gave. */
  readonly decode: (stored: Stored) => Instance
}

/**
 * Lets states, inputs, messages and results hold instances of a class. Register it at every place that runs the agent,
 * before a run is opened; a host that only stores or follows a run needs it not. Registering a class again replaces how it
 * is kept. Throws `input_refused` when the name is taken by another class, or the class is kept already in another way.
 *
 * @example
 * registerClass({
 *   name: 'Money',
 *   class: Money,
 *   encode: ({ amount, currency }) => ({ amount, currency }),
 *   decode: ({ amount, currency }) => new Money(amount, currency),
 * })
 */
export function registerClass<Instance extends object, Stored>(
  registration: ClassRegistration<Instance, Stored>,
): void {
  const { name, encode, decode } = registration
  const { prototype } = registration.class
  if (name.length === 0 || name.length > limits.nameCharsMax)
    throw refused(`its name is 1 to ${String(limits.nameCharsMax)} characters, found ${String(name.length)}`)
  const taken = classNamed(name)
  if (taken && taken.prototype !== prototype) throw refused(`the name "${name}" is taken by another class`)
  const instance: object = Object.create(prototype) as object
  const other = classOf(instance)
  if (other && other.name !== name) throw refused(`it is registered as "${other.name}"`)
  const kind = kindOf(instance)
  if (kind && kind !== 'class') throw refused(`its instances are kept already, as "${kind}"`)
  addClass({ name, prototype, encode, decode } as unknown as Registered)
}

function refused(why: string): WaystoneError {
  return new WaystoneError('input_refused', `this class cannot be registered: ${why}`)
}
