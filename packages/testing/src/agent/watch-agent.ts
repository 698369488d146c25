import type { AnyAgent } from '@waystone/core'
import { runAs } from './code-place.ts'
import type { BodyKind, Scene } from './scene.ts'

type Work = (...args: readonly unknown[]) => unknown
type Fields = Readonly<Record<string, unknown>>

/**
 * The same agent, watched: its turn and branches run as the turn's code, its bodies are counted, and whatever `ctx` does
 * runs as the engine's. With `anywhere`, needs are not bound to a place.
 */
export function watchAgent(agent: AnyAgent, scene: Scene, options: { readonly anywhere: boolean }): AnyAgent {
  const { needs, inbox } = agent
  const unbound = Object.fromEntries(Object.keys(needs).map((name) => [name, {}]))
  const schemas = Object.entries(inbox).map(([name, schema]) => [
    name,
    watchSchema(schema, { scene, run: '', path: name }),
  ])
  return {
    ...agent,
    needs: options.anywhere ? unbound : needs,
    inbox: Object.fromEntries(schemas) as AnyAgent['inbox'],
    initial: (input) => scene.inTurn(() => agent.initial(input)),
    turn: (ctx: Fields, state: never) =>
      scene.inTurn(() => agent.turn(watchCtx(ctx, placeOf(ctx, scene)) as never, state)),
  }
}

/** A scope or a call of a run. */
interface At {
  readonly scene: Scene
  readonly run: string
  readonly path: string
}

function placeOf(ctx: Fields, scene: Scene): At {
  return { scene, run: String(ctx['run']), path: String(ctx['turn']) }
}

function watchCtx(ctx: Fields, scope: At): Fields {
  return new Proxy(ctx, {
    get(target, verb) {
      const value: unknown = Reflect.get(target, verb)
      if (typeof value !== 'function' || typeof verb !== 'string') return value
      return (...args: readonly unknown[]) =>
        runAs({ in: 'engine' }, () => (value as Work).apply(target, watchCall(verb, args, scope)))
    },
  })
}

/** The arguments of a call, with every function of the agent in them watched. A verb unknown here is left as it is. */
function watchCall(verb: string, args: readonly unknown[], scope: At): unknown[] {
  const [name, ...rest] = args
  const at = inside(scope, String(name))
  switch (verb) {
    case 'step':
    case 'stream':
    case 'once':
      return [name, ...rest.map((arg) => (isWork(arg) ? watchBody(arg, verb, at) : watchOptions(arg, at)))]
    case 'ask':
      return [name, ...rest.map((arg) => withSchema(arg, at))]
    case 'all':
    case 'allSettled':
    case 'race':
    case 'any':
      return [name, ...rest.map((arg) => watchBranches(arg, at))]
    case 'map':
      return [name, ...watchMap(rest, at)]
    case 'scope':
      return [name, ...rest.map((arg) => (isWork(arg) ? watchBranch(arg, () => at) : arg))]
    default:
      return [...args]
  }
}

function watchBody(body: Work, kind: BodyKind, { scene, run, path }: At): Work {
  return (...args) => scene.runBody({ run, path, kind }, () => body(...args))
}

/** A branch: the turn's own code, whose first argument is a `ctx`. */
function watchBranch(branch: Work, atOf: (...args: readonly unknown[]) => At): Work {
  return (ctx, ...args) => {
    const at = atOf(...args)
    return at.scene.inTurn(() => branch(watchCtx(ctx as Fields, at), ...args))
  }
}

function watchBranches(arg: unknown, at: At): unknown {
  if (!isFields(arg)) return arg
  const watched = Object.entries(arg).map(([key, branch]) => [
    key,
    isWork(branch) ? watchBranch(branch, () => inside(at, key)) : branch,
  ])
  return Object.fromEntries(watched) as Fields
}

function watchMap(rest: readonly unknown[], at: At): readonly unknown[] {
  const [items, options, branch] = rest
  if (!isFields(options) || !isWork(branch)) return rest
  const { key } = options
  if (!isWork(key)) return rest
  const keyOf: Work = (...args) => at.scene.inTurn(() => key(...args))
  return [
    items,
    { ...options, key: keyOf },
    watchBranch(branch, (...args) => inside(at, String(keyOf(...args)))),
  ]
}

/** What checks an effect and takes it back has bodies too. */
function watchOptions(options: unknown, at: At): unknown {
  if (!isFields(options)) return options
  const { verify, undo, onUnknown } = options
  if (onUnknown === 'retry') at.scene.retried.add(at.path)
  return {
    ...options,
    ...(isWork(verify) ? { verify: watchBody(verify, 'verify', at) } : {}),
    ...(isWork(undo) ? { undo: watchBody(undo, 'undo', at) } : {}),
  }
}

function withSchema(options: unknown, at: At): unknown {
  if (!isFields(options) || options['schema'] === undefined) return options
  return { ...options, schema: watchSchema(options['schema'], at) }
}

/** A Standard Schema may look things up: it counts as a body while it does. */
function watchSchema(schema: unknown, at: At): unknown {
  if ((!isFields(schema) && !isWork(schema)) || !('~standard' in schema)) return schema
  const standard = schema['~standard'] as Fields
  const validate = standard['validate'] as Work
  return { '~standard': { ...standard, validate: watchBody(validate, 'schema', at) } }
}

function inside(at: At, name: string): At {
  return { ...at, path: `${at.path}/${name.replaceAll('%', '%25').replaceAll('/', '%2F')}` }
}

function isWork(value: unknown): value is Work {
  return typeof value === 'function'
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
