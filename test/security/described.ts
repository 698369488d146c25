import type { Operation } from '@waystone/access'

/** A JSON Schema of the description. */
export type Schema = Readonly<Record<string, unknown>>

/** One operation of the description that the edge serves. */
export interface DescribedRoute {
  readonly id: string
  readonly method: string
  /** With `{run}` and other parts in braces. */
  readonly path: string
  readonly needs: readonly Operation[]
  readonly parameters: readonly Parameter[]
  /** The schema of a body of JSON. */
  readonly body?: Schema
  /** The media type of a body that is not JSON. */
  readonly media?: string
  readonly bytesMax?: number
  /** The statuses that it may answer with. */
  readonly statuses: readonly number[]
}

/** A parameter of a route. */
export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

interface Described {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { schema: Schema }>>
    readonly 'x-bytes-max': number
  }
  readonly responses: Readonly<Record<string, unknown>>
  readonly 'x-needs'?: readonly Operation[]
}

/** What `GET /v1/openapi.json` gives. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** The routes of runs in a description. */
export function routesOf({ paths }: Description): readonly DescribedRoute[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, described]): DescribedRoute[] => {
      const { operationId: id, 'x-needs': needs, parameters = [], requestBody, responses } = described
      if (needs === undefined) return []
      const [media, content] = Object.entries(requestBody?.content ?? {})[0] ?? []
      return [
        {
          id,
          method: method.toUpperCase(),
          path,
          needs,
          parameters,
          ...(media === 'application/json' && content ? { body: content.schema } : {}),
          ...(media === undefined || media === 'application/json' ? {} : { media }),
          ...(requestBody === undefined ? {} : { bytesMax: requestBody['x-bytes-max'] }),
          statuses: Object.keys(responses).map(Number),
        },
      ]
    }),
  )
}

/** What the edge says of itself. */
export async function descriptionOf(url: string): Promise<Description> {
  return (await (await fetch(`${url}/v1/openapi.json`)).json()) as Description
}

/** A route by its name. Throws when there is none. */
export function mustFind(routes: readonly DescribedRoute[], id: string): DescribedRoute {
  const route = routes.find((one) => one.id === id)
  if (route === undefined) throw new Error(`there is no route ${id}`)
  return route
}
