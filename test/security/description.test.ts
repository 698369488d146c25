import { parseRunId } from '@waystone/core'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { broken, valuesOf } from './arbitrary.ts'
import {
  descriptionOf,
  routesOf,
  type Description,
  type DescribedRoute,
  type Parameter,
} from './described.ts'
import { startSecurityWorld, type Answer, type SecurityWorld } from './security-world.ts'

/** Requests of each kind to each route. */
const requests = 60
/** A few, since each of them is an object at the edge. */
const runs = ['ana.there', 'ana.there', 'ana.two', 'unheard-of']

let world: SecurityWorld
let description: Description
let routes: readonly DescribedRoute[]
let token: string
beforeAll(async () => {
  world = await startSecurityWorld()
  await world.begin('acme', parseRunId('ana.there'))
  token = await world.token()
  description = await descriptionOf(world.edge.process.url)
  routes = routesOf(description)
})
afterAll(() => world.close())

interface Sent {
  readonly path: string
  readonly init: RequestInit
}

/** Requests to a route; with something broken, in a parameter or in the body, if it is to be. */
function requestsTo(route: DescribedRoute, isBroken: boolean): fc.Arbitrary<Sent> {
  const { schemas } = description.components
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  const parameter = ({ name, schema, in: place }: Parameter): fc.Arbitrary<readonly [string, string]> => {
    const good =
      name === 'run' && place === 'path' ? fc.constantFrom<unknown>(...runs) : valuesOf(schema, schemas)
    // A run that is none by its name would be another route.
    const values = isBroken && name !== 'run' ? fc.oneof(good, broken(good)) : good
    return values.map((value) => [name, text(value)] as const)
  }
  const parts = fc.tuple(...route.parameters.map(parameter))
  const json = route.body === undefined ? undefined : valuesOf(route.body, schemas)
  const bytes = fc.oneof(
    fc.string(),
    fc.jsonValue().map((value) => `${JSON.stringify(value)}\n`),
  )
  const body: fc.Arbitrary<string | undefined> = json
    ? (isBroken ? broken(json) : json).map((value) => JSON.stringify(value))
    : route.media === undefined
      ? fc.constant(undefined)
      : bytes
  return fc.tuple(parts, body).map(([given, content]): Sent => {
    const values = new Map(given)
    const query = new URLSearchParams()
    const headers: Record<string, string> = {}
    for (const { name, in: place } of route.parameters) {
      const value = values.get(name) ?? ''
      if (place === 'query') query.set(name, value)
      // What no header can carry is no request.
      if (place === 'header')
        headers[name] = (/^[!-~]*$/.test(value) ? value : encodeURIComponent(value)).slice(0, 300)
    }
    if ('waystone-base' in headers)
      headers['waystone-base'] = (values.get('waystone-base') ?? '').replaceAll(/[^ -~]/g, '?').trim()
    const path = route.path.replaceAll(
      /\{(\w+)\}/g,
      (_, name: string) => encodeURIComponent(values.get(name) ?? '') || '-',
    )
    const init = { method: route.method, headers, ...(content === undefined ? {} : { body: content }) }
    return { path: `${path}?${String(query)}`, init }
  })
}

async function ask(route: DescribedRoute, { path, init }: Sent): Promise<Answer> {
  if (route.id !== 'events') return world.ask(path, token, init)
  // They go on for ever: how they begin is what counts.
  const stop = new AbortController()
  const headers = { ...init.headers, authorization: `Bearer ${token}`, 'waystone-device': 'laptop' }
  const response = await fetch(`${world.edge.process.url}${path}`, { headers, signal: stop.signal })
  const text = response.ok ? '' : await response.text()
  stop.abort()
  const code = response.ok ? undefined : (JSON.parse(text) as { code: string }).code
  return { status: response.status, text, headers: response.headers, code }
}

describe('the description of the edge', () => {
  it('names every route once, with the rights it needs and the errors it answers with', () => {
    expect(new Set(routes.map(({ id }) => id)).size).toBe(routes.length)
    expect(routes.length).toBeGreaterThan(15)
    for (const { id, needs, statuses } of routes) {
      expect(needs.length, id).toBeGreaterThan(0)
      expect(statuses, id).toEqual(expect.arrayContaining([400, 401, 403, 500]))
    }
  })

  it.each(['valid', 'broken'])('is kept by the edge for %s requests to every route', async (kind) => {
    const ajv = new Ajv2020({ strict: false })
    ajv.addSchema({ $id: 'description', ...description })
    const validate = (pointer: string, value: unknown): string => {
      const check = ajv.getSchema(`description#${pointer}`)
      if (check === undefined) throw new Error(`the description has nothing at ${pointer}`)
      return check(value) === true ? '' : ajv.errorsText(check.errors)
    }
    const escape = (path: string): string =>
      path.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')
    for (const route of routes.filter(({ id }) => !id.startsWith('delete'))) {
      await fc.assert(
        fc.asyncProperty(requestsTo(route, kind === 'broken'), async (sent) => {
          const answer = await ask(route, sent)
          expect([...route.statuses], `${route.id} ${answer.text.slice(0, 300)}`).toContain(answer.status)
          expect(answer.status, answer.text.slice(0, 300)).toBeLessThan(500)
          const type = answer.headers.get('content-type') ?? ''
          if (!type.startsWith('application/json')) return
          const at = `/paths/${escape(route.path)}/${route.method.toLowerCase()}/responses/${String(answer.status)}/content/application~1json/schema`
          expect(validate(at, JSON.parse(answer.text)), `${route.id} ${answer.text.slice(0, 300)}`).toBe('')
        }),
        { numRuns: requests, seed: 6 },
      )
    }
  })
})
