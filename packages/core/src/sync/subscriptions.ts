/**
 * What a live connection speaks. A socket of `runs` has a subscription for each of many runs: that of the run in its
 * address has the number 0, and each message but pings and marks begins with the number of its subscription. A socket of
 * `run` is for that one alone, and its messages are frames; an edge that knows no other takes this protocol.
 */
export const socketProtocols = { runs: 'waystone.runs', run: 'waystone' } as const

/** Runs that one socket follows at a time. */
export const subscriptionsMax = 200

/** A message of one subscription. */
export interface SubscriptionText {
  readonly subscription: number
  /** A frame, which is JSON of an object, or a `SubscriptionWord`. */
  readonly text: string
}

/** What is said of a subscription itself. */
export type SubscriptionWord =
  /**
   * From a device: it begins to follow a run, from an entry on, under a number higher than all before. With a token it is let
   * in by that one, not by the one that the socket was opened with.
   */
  | { readonly say: 'follow'; readonly run: string; readonly from: number; readonly token?: string }
  /** From a device: it follows no more. */
  | { readonly say: 'leave' }
  /** From the edge: it is followed, or is not any more. */
  | { readonly say: 'open' | 'closed' }

const subscriptionText = /^(\d{1,9}) ([^]+)$/
const follow = /^follow (\S{1,500}) (\d{1,16})(?: (\S{1,16000}))?$/

/** A message as it goes over a socket of many runs. The inverse of `parseSubscriptionText`. */
export function subscriptionTextOf(subscription: number, said: string | SubscriptionWord): string {
  return `${String(subscription)} ${typeof said === 'string' ? said : wordText(said)}`
}

function wordText(word: SubscriptionWord): string {
  if (word.say !== 'follow') return word.say
  const { run, from, token } = word
  return `follow ${run} ${String(from)}${token === undefined ? '' : ` ${token}`}`
}

/** The subscription of a message and what stands there; undefined for anything else. */
export function parseSubscriptionText(message: unknown): SubscriptionText | undefined {
  const [, subscription, text] = (typeof message === 'string' && subscriptionText.exec(message)) || []
  if (subscription === undefined || text === undefined) return undefined
  return { subscription: Number(subscription), text }
}

/** What is said of a subscription; undefined for a frame, and for words of a later Waystone. */
export function parseSubscriptionWord(text: string): SubscriptionWord | undefined {
  if (text === 'leave' || text === 'open' || text === 'closed') return { say: text }
  const [, run, from, token] = follow.exec(text) ?? []
  if (run === undefined) return undefined
  return { say: 'follow', run, from: Number(from), ...(token === undefined ? {} : { token }) }
}

/**
 * What the edge sends now and then, and gets back as it is when it has been read: how much of what it sent is still on its
 * way it cannot see otherwise.
 */
export function isMark(message: unknown): message is string {
  return typeof message === 'string' && message.startsWith('mark ')
}
