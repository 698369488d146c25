import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import { limits } from '../limits.ts'

/** What can be put into the inbox of a run. */
export type InboxContent = Plain & {
  /** Of an encrypted run: the whole content, sealed in base64. What stands beside it tells nothing. */
  readonly sealed?: { readonly key: string; readonly box: string }
}

type Plain =
  | { readonly type: 'message'; readonly name: string; readonly value: Json }
  /** Names the digest of the `ask` entry it answers; an answer to any other is not recorded. */
  | { readonly type: 'answer'; readonly ask: Digest; readonly value: Json }
  | { readonly type: 'interrupt' }
  /** `undo`: the effects of the run are undone first, newest first. */
  | { readonly type: 'cancel'; readonly reason: string; readonly undo?: boolean }
  /** The same run back at the checkpoint after entry `seq`, with another state when one is given (encoded form). */
  | {
      readonly type: 'rewind'
      readonly seq: number
      readonly undo?: boolean
      readonly state?: Json
      /** Only while the run is paused in this turn: what was asked for one turn takes back no other. */
      readonly turn?: number
    }
  /** Goes on after a pause; with a budget the run may use so much from there on. */
  | { readonly type: 'retry'; readonly budget?: Budget }
  /** Decides about an effect whose outcome is unknown; `start` is the digest of its start entry. */
  | { readonly type: 'decide'; readonly start: Digest; readonly decision: Decision }

/** What a run may use until it has to ask. What is not named has no limit. */
export interface Budget {
  /** Outcomes of steps, streams, artifacts and effects, and children that were started. */
  readonly steps?: number
  /** Time in which a body ran, in ms: several at once count once, and what only waits does not count. */
  readonly ms?: number
  /** What bodies have reported, in whatever unit their author counts. */
  readonly cost?: number
}

/** What a person says about an effect whose outcome is unknown. */
export type Decision =
  | { readonly type: 'done'; readonly value: Json }
  | { readonly type: 'again' }
  | { readonly type: 'failed'; readonly message: string }

/** One item of an inbox: consumed once, by the entry that carries its id. */
export type InboxItem = InboxContent & {
  /** Chosen by the sender, so that sending again is harmless. */
  readonly id: string
  /** Milliseconds since 1970 at the sender. */
  readonly time: number
  /** Who sent it: a device id, or what the application says. */
  readonly by: string
}

/** `known`: the id was there before; `taken`: another answer to the same `ask` waits already. */
export type InboxPut = 'added' | 'known' | 'taken'

/** Messages and answers that no entry has consumed yet, in order of arrival. Durable when resolved. */
export interface Inbox {
  /**
   * Adds an item in one transaction. Rejects with `limit_exceeded` for a message above `limits.inboxItemsMax` waiting items or
   * `limits.inboxBytesMax`, and for any other above these and what is spared for it: see `checkInboxRoom`.
   */
  put(run: RunId, item: InboxItem): Promise<InboxPut>
  list(run: RunId): Promise<readonly InboxItem[]>
  /** Forgets items whose entries are in the log. */
  remove(run: RunId, ids: readonly string[]): Promise<void>
}

/** Puts items until there is room for no more: the rest stays where it came from, and is brought another time. */
export async function putAll(
  inbox: Pick<Inbox, 'put'>,
  run: RunId,
  items: readonly InboxItem[],
): Promise<void> {
  try {
    for (const item of items) await inbox.put(run, item)
  } catch (error) {
    if (!isWaystoneError(error, 'limit_exceeded')) throw error
  }
}

/**
 * Throws `limit_exceeded` when an inbox has no room for an item of so many bytes of JSON beside those that wait. A flood of
 * messages leaves room for answers, and for whoever steers the run or ends it.
 */
export function checkInboxRoom(
  run: RunId,
  { type }: Pick<InboxItem, 'type'>,
  { items, bytes }: { readonly items: number; readonly bytes: number },
): void {
  const { inboxItemsMax, inboxItemsSpare, inboxBytesMax, inboxBytesSpare } = limits
  const isMessage = type === 'message'
  const itemsMax = inboxItemsMax + (isMessage ? 0 : inboxItemsSpare)
  const bytesMax = inboxBytesMax + (isMessage ? 0 : inboxBytesSpare)
  if (items <= itemsMax && bytes <= bytesMax) return
  throw new WaystoneError(
    'limit_exceeded',
    `the inbox of run ${run} has room for ${String(itemsMax)} items and ${String(bytesMax)} bytes, and would have ${String(items)} and ${String(bytes)}: let the run receive some first`,
    { run, details: { itemsMax, bytesMax, items, bytes } },
  )
}
