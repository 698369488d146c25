import { WaystoneError } from '@waystone/core'
import type { Scene } from './scene.ts'

/** A body that runs: of a step, a stream, an effect, or of what checks and decides about them. */
export interface Body {
  readonly path: string
  readonly scene: Scene
  /** How many of its waits are for virtual time, or for a host that was killed: then it moves nothing by itself. */
  idle: number
}

/** Whose code runs: an agent's turn, the body of a step, or the engine, and with it everything else. */
export type CodePlace =
  | { readonly in: 'turn'; readonly scene: Scene }
  | { readonly in: 'body'; readonly body: Body }
  | { readonly in: 'engine' }

/** The part of Node's `AsyncLocalStorage` that is used here. */
interface AsyncStorage {
  run<R>(place: CodePlace, work: () => R): R
  getStore(): CodePlace | undefined
}

interface BuiltinModules {
  readonly process?: {
    getBuiltinModule?(name: 'node:async_hooks'): { readonly AsyncLocalStorage: new () => AsyncStorage }
  }
}

let storage: AsyncStorage | undefined

/** Runs work as the code of a place; what it awaits goes on there. Needs Node 20.16. Throws `input_refused` elsewhere. */
export function runAs<R>(place: CodePlace, work: () => R): R {
  storage ??= openStorage()
  return storage.run(place, work)
}

/** Whose code runs now; undefined outside of every test run. */
export function codePlace(): CodePlace | undefined {
  return storage?.getStore()
}

/** Not imported: this package also holds cases that run in browsers, whose bundlers would look for the module. */
function openStorage(): AsyncStorage {
  const hooks = (globalThis as BuiltinModules).process?.getBuiltinModule?.('node:async_hooks')
  if (hooks) return new hooks.AsyncLocalStorage()
  throw new WaystoneError('input_refused', 'testing an agent needs Node 20.16 or newer')
}
