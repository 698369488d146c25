import { WaystoneError } from '../errors.ts'
import { append, fieldsOf, held, read, reveal, show, type Slot, writable } from './slot.ts'
import { isObject, put } from './value.ts'

/** The draft of a plain object or an array: a Proxy that behaves as the object itself would. */
export function makeDraft(slot: Slot): object {
  // The target only carries the slot. It is an array for an array, since Array.isArray looks there.
  const target: Target = slot.kind === 'array' ? [slot] : { 0: slot }
  const draft = new Proxy(target, traps)
  slots.set(draft, slot)
  return draft
}

/** The slot of each draft. */
const slots = new WeakMap<object, Slot>()

function slotOf(value: unknown): Slot | undefined {
  return isObject(value) ? slots.get(value) : undefined
}

interface Target {
  readonly 0: Slot
}

const traps: ProxyHandler<Target> = {
  get({ 0: slot }, key) {
    return (slot.kind === 'array' && arrayMethods.get(key)) || read(slot, key)
  },
  has({ 0: slot }, key) {
    return key in fieldsOf(slot)
  },
  ownKeys({ 0: slot }) {
    return Reflect.ownKeys(fieldsOf(slot))
  },
  getOwnPropertyDescriptor({ 0: slot }, key) {
    const property = Object.getOwnPropertyDescriptor(fieldsOf(slot), key)
    if (!property) return undefined
    // A Proxy may only call a property fixed that is fixed in its target: the length of an array.
    const configurable = slot.kind !== 'array' || key !== 'length'
    return { value: read(slot, key), writable: true, enumerable: property.enumerable ?? false, configurable }
  },
  set({ 0: slot }, key, value) {
    if (key === '__proto__' && !Object.hasOwn(fieldsOf(slot), key))
      refuseWrite('the prototype of a state is fixed')
    write(slot, key, value)
    return true
  },
  defineProperty({ 0: slot }, key, property) {
    const { get, set, writable, enumerable, configurable } = property
    if (get || set || writable === false || enumerable === false || configurable === false) {
      refuseWrite(
        `"${String(key)}" cannot be defined as an accessor, hidden or fixed: only plain properties can be stored`,
      )
    }
    write(slot, key, 'value' in property ? property.value : read(slot, key))
    return true
  },
  deleteProperty({ 0: slot }, key) {
    return Reflect.deleteProperty(writable(slot), key)
  },
  setPrototypeOf() {
    return refuseWrite('the prototype of a state is fixed')
  },
  preventExtensions() {
    return refuseWrite('a draft cannot be frozen')
  },
}

function write(slot: Slot, key: PropertyKey, value: unknown): void {
  const fields = writable(slot, Number(key === 'length' ? value : key.toString()))
  if (typeof key === 'symbol')
    refuseWrite(`${String(key)} is a symbol, and only strings can be names in a state`)
  if (slot.kind === 'array' && key !== 'length' && !isIndex(key)) {
    refuseWrite(`"${key}" is not an index, and an array can only store items`)
  }
  put(fields, key, held(slot.scope, value))
}

function isIndex(key: PropertyKey): boolean {
  const index = Number(key) >>> 0
  return String(index) === key && index < 2 ** 32 - 1
}

function refuseWrite(message: string): never {
  throw new WaystoneError('value_refused', message)
}

type Method = (this: unknown, ...args: unknown[]) => unknown
type Named = Readonly<Record<string, Method>>

const natives = Array.prototype as unknown as Named

/**
 * Array methods of drafts. Those that move items work on what the draft holds, so that a shift of 10,000
 * items makes no 10,000 drafts; those that search find what the user assigned, although the draft shows a
 * draft of it.
 */
const arrayMethods: ReadonlyMap<PropertyKey, Method> = new Map<PropertyKey, Method>([
  ...['pop', 'shift', 'unshift', 'splice', 'reverse'].map(
    (name) => [name, moving(name, natives[name] as Method)] as const,
  ),
  ...['includes', 'indexOf', 'lastIndexOf'].map(
    (name) => [name, searching(natives[name] as Method)] as const,
  ),
  ['push', push],
])

function push(this: unknown, ...args: unknown[]): unknown {
  const slot = slotOf(this)
  if (!slot) return (natives['push'] as Method).apply(this, args)
  append(
    slot,
    args.map((value) => held(slot.scope, value)),
  )
  return fieldsOf(slot)['length']
}

function moving(name: string, native: Method): Method {
  return function (...args) {
    const slot = slotOf(this)
    if (!slot) return native.apply(this, args)
    const fields = writable(slot)
    const out = native.apply(
      fields,
      args.map((value) => held(slot.scope, value)),
    )
    if (out === fields) return this
    return name === 'splice' ? (out as unknown[]).map((item) => reveal(slot, item)) : reveal(slot, out)
  }
}

function searching(native: Method): Method {
  return function (...args) {
    const known = slotOf(this)?.scope.known
    return native.apply(
      this,
      args.map((value) => {
        const slot = isObject(value) ? known?.get(value) : undefined
        return slot ? show(slot) : value
      }),
    )
  }
}
