import {
  isWaystoneError,
  type Bodies,
  type Entry,
  type EntryKind,
  type Json,
  type Outcome,
  type parseLine,
} from '@waystone/core'

/** Of a longer text only the beginning is found. */
export const textCharsMax = 64_000

/** What people and models have written, in the body of each kind of entry; the others have nothing to be found. */
const contents: { readonly [K in EntryKind]?: (body: Bodies[K]) => readonly unknown[] } = {
  start: ({ input, state }) => [input, state],
  fork: ({ input, state }) => [input, state],
  step: ({ outcome }) => said(outcome),
  once: ({ outcome }) => said(outcome),
  undo: ({ outcome }) => said(outcome),
  join: ({ outcome }) => said(outcome),
  spawn: ({ given }) => [given],
  ask: ({ question }) => [question],
  answer: ({ answer }) => (answer.status === 'answered' ? [answer.value] : []),
  receive: ({ value }) => [value],
  drain: ({ items }) => items.map(({ value }) => value),
  label: ({ label }) => [label],
  pause: ({ error }) => [error.message],
  cancel: ({ reason }) => [reason],
  commit: ({ delta, next }) => [
    ...put(delta),
    next.type === 'done' ? next.result : undefined,
    next.type === 'fail' ? next.reason : undefined,
  ],
  put: ({ changes }) =>
    changes.flatMap((change) =>
      'value' in change ? [change.value] : 'delta' in change ? put(change.delta) : [],
    ),
  edit: ({ delta }) => put(delta),
  migrate: ({ delta }) => put(delta),
  rewind: ({ state }) => [state],
}

/** An entry as it is stored. */
type Stored = ReturnType<typeof parseLine>

/**
 * The texts in a stored entry, whose body `resolve` fetches where it is apart. Nothing of what cannot be read here: of entries that are encrypted, or whose
 * bodies are not here, or are none.
 */
export async function storedText(
  stored: Stored,
  resolve: (stored: readonly Stored[]) => Promise<readonly Entry[]>,
): Promise<string> {
  if (stored.key !== undefined || !Object.hasOwn(contents, stored.kind)) return ''
  try {
    const [entry] = await resolve([stored])
    return entry === undefined ? '' : textOf(entry)
  } catch (error) {
    // What an older edge took without looking at its form may have another.
    if (isWaystoneError(error) || error instanceof TypeError) return ''
    throw error
  }
}

/** The texts in an entry, each on a line of its own; without names of fields, numbers and bytes. At most `textCharsMax` characters. */
export function textOf({ kind, body }: Pick<Entry, 'kind' | 'body'>): string {
  const pick = contents[kind] as ((given: unknown) => readonly unknown[]) | undefined
  return pick === undefined ? '' : textIn(pick(body))
}

function said(outcome: Outcome): readonly unknown[] {
  return 'error' in outcome ? [outcome.error.message] : [outcome.value]
}

/** What the changes of a delta put: `["set", path, value]`, `["splice", path, index, count, items]`. */
function put(delta: Json): readonly unknown[] {
  const changes: readonly unknown[] = Array.isArray(delta) ? delta : []
  return changes.map((change) => (Array.isArray(change) ? change[change[0] === 'set' ? 2 : 4] : undefined))
}

/** Digests and bytes as base64 are no words. */
const noWords = /^([0-9a-f]{64}|[A-Za-z0-9+/=_-]{200,})$/
/** What is no text: control characters but tabs and line ends, and halves of characters. */
// oxlint-disable-next-line no-control-regex -- that is what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g

function textIn(values: readonly unknown[]): string {
  const texts: string[] = []
  let chars = 0
  // Not by calls: what devices have sent may be nested deeper than calls can be.
  const open = values.toReversed()
  while (open.length > 0 && chars < textCharsMax) {
    const value = open.pop()
    if (typeof value === 'string') {
      const text = value.slice(0, textCharsMax - chars)
      if (text === '' || noWords.test(text)) continue
      texts.push(text)
      chars += text.length + 1
    } else if (typeof value === 'object' && value !== null) open.push(...partsOf(value).toReversed())
  }
  return texts.join('\n').replaceAll(unprintable, ' ').toWellFormed()
}

/** What a value in its stored form is made of. What is tagged and has one text is a date, a number or bytes, but for an address. */
function partsOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value
  const { $: tag, v: tagged }: { readonly $?: unknown; readonly v?: unknown } = value
  if (typeof tag !== 'string') return Object.values(value)
  return typeof tagged === 'string' && tag !== 'url' ? [] : [tagged]
}
