import type { Head } from '../ports/log-store.ts'
import type { Pushed } from '../ports/remote.ts'
import { adaptiveIntervalMs, newPace, withFailure, withPush, type Pace } from './pace.ts'

/** What a device knows about one run at the edge. */
export interface SyncModel {
  /** The last entry here. */
  readonly local: Head
  /** The last entry that the edge acknowledged; undefined when nothing is known to be there. */
  readonly acked: Head | undefined
  /** `lost`: the edge has entries that are not here, and the driver reconciles. */
  readonly doing: 'nothing' | 'pushing' | 'waiting' | 'lost'
  readonly failures: number
  /** Undefined: every entry is pushed as soon as it can be. */
  readonly policy: SyncPolicy | undefined
  /** All up to this entry is to be pushed, whatever the policy says. */
  readonly urgent: number
  /** How many turns have ended since the policy had some pushed for it. */
  readonly turns: number
  /** The interval of the policy has begun. */
  readonly timed: boolean
  /** What the interval of an adaptive policy is made of. */
  readonly pace: Pace
  /** When the push under way began, by the clock of this host, in ms since 1970. */
  readonly pushedAt: number
}

/**
 * How long entries may gather before they are pushed: so many, so many turns, or so long, whichever comes first. Questions, starts of
 * `once`, pauses, errors, milestones and ends are pushed at once, with all before them; so is all on a move, or when a page
 * is hidden.
 */
export interface SyncPolicy {
  readonly every: number
  readonly turns?: number
  /** `adaptive`: what `adaptiveIntervalMs` makes of what pushes cost and how often something fails. */
  readonly intervalMs: number | 'adaptive'
}

export type SyncEvent =
  /** `turns`: how many of them end a turn. */
  | { readonly type: 'appended'; readonly head: Head; readonly urgent: boolean; readonly turns?: number }
  /** The edge has sent what is here up to this entry. */
  | { readonly type: 'received'; readonly head: Head }
  /** Somebody waits for the edge to have what is here. */
  | { readonly type: 'flush' }
  /** The interval of the policy is over. */
  | { readonly type: 'due' }
  | { readonly type: 'pushed'; readonly pushed: Pushed }
  /** A host of this run has ended in the middle of its work, or its owner was gone. */
  | { readonly type: 'recovered' }
  /** No answer, or the edge refused for a reason of its own. */
  | { readonly type: 'failed' }
  /** The wait after a failure is over, or the network came back. */
  | { readonly type: 'retry' }
  /** The logs were compared: `acked` is the last entry that both have. */
  | { readonly type: 'reconciled'; readonly local: Head; readonly acked: Head | undefined }

export type SyncEffect =
  | { readonly type: 'push'; readonly base: Head | undefined }
  | { readonly type: 'put blobs'; readonly hashes: readonly string[] }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'reconcile' }
  | { readonly type: 'synced'; readonly head: Head }
  | { readonly type: 'online'; readonly online: boolean }

/** The first wait after a failure and the longest, in ms. */
const backoffMin = 500
const backoffMax = 15_000

/** The start: nothing is known about the edge. */
export function syncModel(
  local: Head,
  acked?: Head,
  policy?: SyncPolicy,
  pace: Pace = newPace(0),
): SyncModel {
  const start = { doing: 'nothing', failures: 0, urgent: -1, turns: 0, timed: false, pushedAt: 0 } as const
  return { ...start, local, acked, policy, pace }
}

/** One step of pushing a run's tail, at `now` in ms since 1970. Pure: every timing is an event. */
export function syncStep(
  model: SyncModel,
  event: SyncEvent,
  now: number,
): readonly [SyncModel, readonly SyncEffect[]] {
  switch (event.type) {
    case 'appended': {
      const turns = model.turns + (event.turns ?? 0)
      const isEnough = turns >= (model.policy?.turns ?? Infinity)
      const urgent = event.urgent || isEnough ? event.head.seq : model.urgent
      return next({ ...model, local: event.head, urgent, turns: isEnough ? 0 : turns }, now)
    }
    case 'received': {
      const [after, effects] = next({ ...model, local: event.head, acked: event.head }, now)
      return [after, [...synced(event.head), ...effects]]
    }
    case 'flush':
      return next({ ...model, urgent: model.local.seq }, now)
    case 'due':
      return next({ ...model, timed: false, urgent: model.local.seq }, now)
    case 'retry':
      return model.doing === 'waiting' ? next({ ...model, doing: 'nothing' }, now) : [model, []]
    case 'recovered':
      return [{ ...model, pace: withFailure(model.pace) }, []]
    case 'failed': {
      const ms = Math.min(backoffMax, backoffMin * 2 ** model.failures)
      const failed: SyncModel = {
        ...model,
        doing: 'waiting',
        failures: Math.min(model.failures + 1, 10),
        urgent: model.local.seq,
        // An outage is one failure, however often it is tried.
        pace: model.failures === 0 ? withFailure(model.pace) : model.pace,
      }
      return [
        failed,
        [
          { type: 'online', online: false },
          { type: 'wait', ms },
        ],
      ]
    }
    case 'reconciled': {
      // A push under way goes on: its answer tells what to do next.
      const doing = model.doing === 'pushing' ? 'pushing' : 'nothing'
      const { local, acked } = event
      const [after, effects] = next({ ...model, local, acked, doing, failures: 0, urgent: local.seq }, now)
      return [after, [...synced(event.acked), ...effects]]
    }
    case 'pushed':
      return afterPush(model, event.pushed, now)
  }
}

function afterPush(
  model: SyncModel,
  pushed: Pushed,
  now: number,
): readonly [SyncModel, readonly SyncEffect[]] {
  if (pushed.ok) {
    const pace = withPush(model.pace, now - model.pushedAt)
    const [after, effects] = next({ ...model, acked: pushed.head, doing: 'nothing', failures: 0, pace }, now)
    return [after, [...synced(pushed.head), ...effects]]
  }
  if (pushed.code === 'blob_missing') return [model, [{ type: 'put blobs', hashes: pushed.hashes }]]
  return [{ ...model, doing: 'lost' }, [{ type: 'reconcile' }]]
}

function next(model: SyncModel, now: number): readonly [SyncModel, readonly SyncEffect[]] {
  if (model.doing !== 'nothing' || (model.acked && model.acked.seq >= model.local.seq)) return [model, []]
  const { policy, urgent, timed } = model
  const acked = model.acked?.seq ?? -1
  if (policy && acked >= urgent && model.local.seq - acked < policy.every) {
    if (timed) return [model, []]
    const ms = policy.intervalMs === 'adaptive' ? adaptiveIntervalMs(model.pace, now) : policy.intervalMs
    return [{ ...model, timed: true }, [{ type: 'time', ms }]]
  }
  return [{ ...model, doing: 'pushing', pushedAt: now }, [{ type: 'push', base: model.acked }]]
}

function synced(head: Head | undefined): readonly SyncEffect[] {
  return head === undefined
    ? []
    : [
        { type: 'online', online: true },
        { type: 'synced', head },
      ]
}
