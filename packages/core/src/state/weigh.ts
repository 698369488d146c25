import { isBytesKind, isList, isObject, kindOf } from './value.ts'
import { bytesOf } from './views.ts'

/**
 * About how many characters the JSON of a value has. Stops counting above `most`, so that it costs no more than that: for
 * choosing between two ways to say the same.
 */
export function weigh(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value === 'number') return String(value).length
  if (!isObject(value)) return 6
  if (isList(value)) return weighAll(value, most)
  const kind = kindOf(value)
  if (isBytesKind(kind)) return 20 + bytesOf(value).length * 1.4
  if (kind === 'map') return 18 + weighAll(value as ReadonlyMap<unknown, unknown>, most)
  if (kind === 'set') return 18 + weighAll(value as ReadonlySet<unknown>, most)
  if (kind !== 'object') return 40
  let sum = 2
  for (const key of Object.keys(value)) {
    if (sum > most) break
    sum += key.length + 4 + weigh((value as Record<string, unknown>)[key], most - sum)
  }
  return sum
}

function weighAll(items: Iterable<unknown>, most: number): number {
  let sum = 2
  for (const item of items) {
    if (sum > most) break
    sum += 1 + weigh(item, most - sum)
  }
  return sum
}
