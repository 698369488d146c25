import { WaystoneError, type ErrorCode } from '@waystone/core'
import { codePlace } from './code-place.ts'

/** A function of the platform that a turn may not call. */
interface Trap {
  readonly owner: object | undefined
  readonly key: string
  /** As people write the call. */
  readonly call: string
  readonly instead: string
  readonly code: ErrorCode
}

const time = 'use ctx.now(), or take the time inside a step and return it'
const chance = 'use ctx.random() or ctx.uuid(), or do it inside a step and return it'
const wait = 'use ctx.sleep(), or put the wait into a step'
const net = 'put it into the body of a ctx.step or ctx.once'

let users = 0
let release: (() => void) | undefined

/**
 * Makes what may not be called in a turn throw there, naming the call and what to use instead. The bodies of steps, the
 * engine and the test itself are not touched. Returns how to stop; the last one to stop restores the globals.
 */
export function trapGlobals(): () => void {
  users += 1
  release ??= install()
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    users -= 1
    if (users > 0) return
    release?.()
    release = undefined
  }
}

function install(): () => void {
  const { Math: math, crypto } = globalThis as { readonly Math: object; readonly crypto?: object }
  const traps: readonly Trap[] = [
    { owner: globalThis, key: 'Date', call: 'new Date()', instead: time, code: 'not_replayable' },
    { owner: math, key: 'random', call: 'Math.random()', instead: chance, code: 'not_replayable' },
    {
      owner: crypto,
      key: 'randomUUID',
      call: 'crypto.randomUUID()',
      instead: chance,
      code: 'not_replayable',
    },
    {
      owner: crypto,
      key: 'getRandomValues',
      call: 'crypto.getRandomValues()',
      instead: chance,
      code: 'not_replayable',
    },
    { owner: globalThis, key: 'fetch', call: 'fetch()', instead: net, code: 'waits_outside' },
    { owner: globalThis, key: 'setTimeout', call: 'setTimeout()', instead: wait, code: 'waits_outside' },
    { owner: globalThis, key: 'setInterval', call: 'setInterval()', instead: wait, code: 'waits_outside' },
    { owner: globalThis, key: 'setImmediate', call: 'setImmediate()', instead: wait, code: 'waits_outside' },
  ]
  const undo = traps.map(set)
  return () => {
    for (const restore of undo) restore()
  }
}

/** Puts a trap in its place. Returns how to put back what was there, unless somebody has replaced the trap since. */
function set(trap: Trap): () => void {
  const { owner, key } = trap
  const original: unknown = owner && Reflect.get(owner, key)
  if (owner === undefined || typeof original !== 'function') return () => undefined
  const before = Reflect.getOwnPropertyDescriptor(owner, key)
  const value = key === 'Date' ? trappedDate(original as DateConstructor, trap) : trapped(original, trap)
  Reflect.defineProperty(owner, key, { value, writable: true, configurable: true, enumerable: true })
  return () => {
    if (Reflect.get(owner, key) !== value) return
    if (before) Reflect.defineProperty(owner, key, before)
    else Reflect.deleteProperty(owner, key)
  }
}

// A proxy, so that whatever else hangs on the function stays there.
function trapped<F extends object>(original: F, trap: Trap): F {
  return new Proxy(original, {
    apply(target, self, args) {
      check(trap)
      return Reflect.apply(target as never, self, args) as unknown
    },
  })
}

/** A date that is given what it shows depends on nothing, and may be made anywhere. */
function trappedDate(original: DateConstructor, trap: Trap): DateConstructor {
  const now = trapped(original.now, { ...trap, call: 'Date.now()' })
  return new Proxy(trapped(original, { ...trap, call: 'Date()' }), {
    construct(target, args, newTarget) {
      if (args.length === 0) check(trap)
      return Reflect.construct(target, args, newTarget) as object
    },
    get: (target, key, receiver) => (key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown)),
  })
}

function check({ call, instead, code }: Trap): void {
  const place = codePlace()
  if (place?.in !== 'turn' || place.scene.allowsGlobals) return
  const why =
    code === 'not_replayable'
      ? 'a turn is replayed after a crash, and it would give something else then'
      : 'a turn awaits ctx and nothing else'
  const error = new WaystoneError(
    code,
    `${call} was called in a turn, outside a step: ${why}. Instead ${instead}`,
  )
  place.scene.fail(error)
  throw error
}
