import { pathOf, routeList, type Content, type Route } from './routes.ts'
import { schemas } from './schemas.ts'
import { statuses } from './errors.ts'

// Extensions: `x-needs` are the operations of which a token needs one, `x-bytes-max` is the size of a body.
type Described = Readonly<Record<string, unknown>>

/** Codes that any route may answer with. */
const everywhere = [
  'unauthorized',
  'forbidden',
  'request_refused',
  'input_refused',
  'too_large',
  'limit_exceeded',
  'run_deleted',
  'bug',
]

/** The description of the routes that are served, as OpenAPI 3.1. */
export function openApi(version: string): Described {
  const paths: Record<string, Record<string, Described>> = {
    '/v1/health': {
      get: {
        operationId: 'health',
        summary: 'Answers when the worker does. Needs no token.',
        security: [],
        responses: { 200: answer('All is well.', { schema: 'Health' }) },
      },
    },
  }
  for (const [name, route] of routeList) {
    const path = pathOf(route)
    paths[path] = { ...paths[path], [route.method]: described(name, route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Waystone',
      version,
      description:
        'Runs of agents at the edge. A later version adds fields, routes and kinds, which clients pass over; what changes meaning gets another prefix than `/v1`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'A signed token of `@waystone/access`, a link to one run, or what the application takes instead.',
        },
      },
    },
  }
}

function described(name: string, route: Route): Described {
  const inPath = [...pathOf(route).matchAll(/\{(\w+)\}/g)].map(([, part]) => ({
    name: part,
    in: 'path',
    required: true,
    schema: part === 'link' ? { type: 'string' } : ref(part === 'run' ? 'RunId' : 'Digest'),
  }))
  const beside = Object.entries(route.parameters ?? {}).map(([part, parameter]) => ({
    name: part,
    in: parameter.in,
    required: parameter.required ?? false,
    description: parameter.what,
    schema: ref(parameter.schema),
  }))
  return {
    operationId: name,
    summary: route.what,
    'x-needs': route.needs,
    description: `Needs ${route.needs.map((one) => `\`${one}\``).join(' or ')}.`,
    parameters: [...inPath, ...beside],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: contentOf(route.body), 'x-bytes-max': route.body.bytesMax },
        }),
    responses: { ...success(name, route), ...failures(route) },
  }
}

function success(name: string, { gives, givesNothing, what }: Route): Described {
  if (name === 'follow') return { 101: { description: 'The socket is open.' } }
  if (name === 'deleteTenant') return { 202: { description: 'It has begun.' } }
  if (gives === undefined) return { 204: { description: 'Done.' } }
  return {
    200: answer(what, gives),
    ...(givesNothing === undefined ? {} : { 204: { description: givesNothing } }),
  }
}

function failures({ errors = [] }: Route): Described {
  const codes = [...everywhere, ...errors]
  const byStatus = Map.groupBy(codes, (code) => statuses[code as keyof typeof statuses] ?? 500)
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      status,
      answer(some.map((code) => `\`${code}\``).join(', '), { schema: 'Error' }),
    ]),
  )
}

function answer(
  description: string,
  content: Content & Pick<NonNullable<Route['gives']>, 'headers'>,
): Described {
  const named = Object.entries(content.headers ?? {}).map(([name, what]) => [
    name,
    { description: what, schema: { type: 'string' } },
  ])
  return {
    description,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    content: contentOf(content),
  }
}

function contentOf(content: Content): Described {
  if ('schema' in content) return { 'application/json': { schema: ref(content.schema) } }
  return { [content.media]: { schema: { type: 'string', format: 'binary', description: content.what } } }
}

function ref(name: string): Described {
  return { $ref: `#/components/schemas/${name}` }
}
