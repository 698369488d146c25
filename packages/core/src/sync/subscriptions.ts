/**
 * What a live connection speaks. A socket of `runs` is one for all runs of a device: it begins with the run in its
 * address as subscription 0, and each message but pings begins with the number of its subscription. One of `run` is for that run
 * alone, and its messages are frames; an edge that knows no other takes this one.
 */
export const socketProtocols = { runs: 'waystone.runs', run: 'waystone' } as const

/** How much may be sent on a socket of many runs before its reader says that it has read it, in characters. */
export const unreadCharsMax = 8_000_000
/** A reader says what it has read at every ping, and before it is more than this, in characters. */
export const readCharsMax = 1_000_000

/** A message of one subscription. */
export interface SubscriptionText {
  readonly subscription: number
  /** A frame, which is JSON of an object, or a `SubscriptionWord`. */
  readonly text: string
}

/** What is said of a subscription itself. */
export type SubscriptionWord =
  /** From a device: it begins to follow a run there, from an entry on. */
  | { readonly say: 'follow'; readonly run: string; readonly from: number }
  /** From a device: it hears enough. */
  | { readonly say: 'leave' }
  /** From the edge: it follows, or follows no more. */
  | { readonly say: 'open' | 'closed' }

const subscriptionText = /^(\d{1,9}) ([^]+)$/
const follow = /^follow (\S{1,500}) (\d{1,16})$/

/** A message as it goes over a socket of many runs. The inverse of `parseSubscriptionText`. */
export function subscriptionTextOf(subscription: number, said: string | SubscriptionWord): string {
  if (typeof said === 'string') return `${String(subscription)} ${said}`
  const { say } = said
  return `${String(subscription)} ${say === 'follow' ? `follow ${said.run} ${String(said.from)}` : say}`
}

/** The subscription of a message and what stands there; undefined for anything else. */
export function parseSubscriptionText(message: unknown): SubscriptionText | undefined {
  const [, subscription, text] = (typeof message === 'string' && subscriptionText.exec(message)) || []
  return subscription === undefined || text === undefined
    ? undefined
    : { subscription: Number(subscription), text }
}

/** What is said of a subscription; undefined for a frame, and for words of a later Waystone. */
export function parseSubscriptionWord(text: string): SubscriptionWord | undefined {
  if (text === 'leave' || text === 'open' || text === 'closed') return { say: text }
  const [, run, from] = follow.exec(text) ?? []
  return run === undefined ? undefined : { say: 'follow', run, from: Number(from) }
}

/** What a reader says it has read since it said so last, in characters. */
export function readTextOf(chars: number): string {
  return `read ${String(chars)}`
}

/** The inverse of `readTextOf`; undefined for anything else. */
export function parseReadText(message: unknown): number | undefined {
  const [, chars] = (typeof message === 'string' && /^read (\d{1,12})$/.exec(message)) || []
  return chars === undefined ? undefined : Number(chars)
}
