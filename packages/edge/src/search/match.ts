import { WaystoneError } from '@waystone/core'

/** Words of one question. */
const termsMax = 20
const queryCharsMax = 200

/**
 * What people write in a search field as an expression of FTS5: all of the words have to be there; words in quotes one after the
 * other; `*` at the end of a word stands for any end. Nothing of it is syntax. Throws `request_refused` for nothing, or too much.
 */
export function matchOf(query: string): string {
  if (query.length > queryCharsMax)
    throw new WaystoneError(
      'request_refused',
      `expected \`q\` with at most ${String(queryCharsMax)} characters`,
    )
  const terms = [...query.toWellFormed().matchAll(/"([^"]*)"?|[^\s"]+/g)].flatMap(([whole, phrase]) => {
    const isBeginning = phrase === undefined && whole.endsWith('*')
    const words = (phrase ?? whole).match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu)
    return words === null ? [] : [`"${words.join(' ')}"${isBeginning ? '*' : ''}`]
  })
  if (terms.length === 0)
    throw new WaystoneError('request_refused', 'expected `q` with a word to look for, found none')
  if (terms.length > termsMax)
    throw new WaystoneError('request_refused', `expected \`q\` with at most ${String(termsMax)} words`)
  return terms.join(' AND ')
}
