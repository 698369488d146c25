import type { components, paths } from './schema.ts'

/** What bodies and answers are made of, by the names of the description: `Schemas['InboxItem']`. */
export type Schemas = components['schemas']

/** The methods that the edge has routes of. */
export type Method = 'get' | 'post' | 'put' | 'delete'

/** An operation as it is described. */
interface Described {
  readonly parameters: { readonly header?: unknown }
  readonly requestBody?: unknown
  readonly responses: object
}

/** The operation of this method at a path; never when there is none. */
type OperationAt<Path extends keyof paths, M extends Method> = Extract<paths[Path][M], Described>

/** A route that answers with a WebSocket is no call. */
type IsCall<Operation extends Described> = 101 extends keyof Operation['responses'] ? false : true

/** The paths that can be called by this method. */
export type PathOf<M extends Method> = {
  [Path in keyof paths]: [OperationAt<Path, M>] extends [never]
    ? never
    : IsCall<OperationAt<Path, M>> extends true
      ? Path
      : never
}[keyof paths]

/** A property that may be left out where nothing in it is required. */
type Part<Name extends string, T> = object extends T
  ? { readonly [K in Name]?: T }
  : { readonly [K in Name]: T }

/** The headers of an operation, whether or not it needs any; never when it takes none. */
type Headers<P extends Described['parameters']> = NonNullable<P['header']>

/** The parameters of an operation without the headers that are `Sent` with every request. */
type Parameters<P extends Described['parameters'], Sent extends string> = Omit<P, 'header'> &
  ([Headers<P>] extends [never] ? unknown : Part<'header', Omit<Headers<P>, Sent>>)

type Body<Operation> = Operation extends { readonly requestBody: { readonly content: infer Content } }
  ? { readonly body: Content[keyof Content] }
  : unknown

/** What a call takes beside its path. */
export type CallOptions<Operation extends Described, Sent extends string> = Part<
  'params',
  Parameters<Operation['parameters'], Sent>
> &
  Body<Operation> & {
    /** Ends the call: it rejects with the reason of the signal. */
    readonly signal?: AbortSignal
  }

/**
 * What a call gives: of JSON what it says, of lines and text a string, of bytes a `Uint8Array`, of events and exports a
 * stream of their bytes. Nothing when the route gives nothing, as the events of a run whose end was told.
 */
export type Given<Operation extends Described> = Operation['responses'] extends {
  readonly 200: { readonly content: infer Content }
}
  ? Content[keyof Content] | (204 extends keyof Operation['responses'] ? undefined : never)
  : undefined

/** The calls of one method. `Sent` are headers that the client sends by itself. */
export type Call<M extends Method, Sent extends string> = <Path extends PathOf<M>>(
  path: Path,
  ...options: object extends CallOptions<OperationAt<Path, M>, Sent>
    ? [options?: CallOptions<OperationAt<Path, M>, Sent>]
    : [options: CallOptions<OperationAt<Path, M>, Sent>]
) => Promise<Given<OperationAt<Path, M>>>
