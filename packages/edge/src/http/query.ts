import { WaystoneError } from '@waystone/core'

/** A whole number of a query. Throws `request_refused` for anything else. */
export function countIn(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new WaystoneError(
    'request_refused',
    `expected \`${name}\` as a whole number, found ${value.slice(0, 40)}`,
  )
}

/** How much a page is to have. Throws `request_refused`. */
export function limitIn(query: URLSearchParams, max: number): number {
  const limit = countIn(query, 'limit') ?? 50
  if (limit >= 1 && limit <= max) return limit
  throw new WaystoneError('request_refused', `expected \`limit\` from 1 to ${String(max)}`)
}

/** A text of a query; undefined when it is not there. */
export function textIn(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) ?? undefined
}

/** Yes or no. */
export function flagIn(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name)
  return value === null ? undefined : value === 'true'
}
