import { replayRules } from '../engine/attempt.ts'
import { inTime } from '../engine/in-time.ts'
import { isWaystoneError, WaystoneError, type ErrorCode } from '../errors.ts'
import { edgeOwner, type RunId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { artifactsIn, isEnded, namesIn, type Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import { writtenBy } from '../log/written.ts'
import type { Head } from '../ports/log-store.ts'
import type { Claim, Held, Successor } from '../ports/remote.ts'
import type { RunHost } from './run-host.ts'
import { openStreams } from './open-turn.ts'
import type { RunNode } from './run-node.ts'
import { covers, proofOf } from './successor.ts'
import type { Edge, Syncer } from '../sync/syncer.ts'

interface Move {
  readonly node: RunNode
  readonly syncer: Syncer
  readonly edge: Edge
  /** How long steps under way may take to end before they are given up and run again at the target. */
  readonly drainMs: number
}

interface MoveAway extends Move {
  readonly host: RunHost
}

interface MoveHere extends Move {
  readonly force: boolean
}

/** How often a run is claimed by force whose owner writes on. */
const forcedTriesMax = 5
/** How long an owner stands still for a device that has to replay what was added, in ms: longer than the edge believes it. */
const standMs = 10_000

/**
 * Moves a run that is written here to the edge: nothing new starts, the claim takes along what the edge has not got yet,
 * and the edge claims exactly that head after it has replayed the open turn. Whatever fails leaves the owner here; what
 * nobody can know is asked until it is known, and nothing starts before.
 */
export async function moveToEdge(move: MoveAway): Promise<void> {
  const { node, edge } = move
  const lent = await lend(node, edge)
  const asked = askBeforehand(move)
  const streams = await standStill(move, async () => {
    if (asked.refused) throw asked.refused
    // Whatever the edge answers, it has had this key: what is written after this has another one.
    if (lent === undefined) return
    await node.log.append(node.ports.me, () => [opened(node, 'lending')], { strict: true })
  })
  const target = { owner: edgeOwner, place: 'edge' } as const
  await giveAway(move, lent === undefined ? target : { ...target, lent }, streams)
}

/**
 * Hands a run that is written here over to the device that has asked for it: as a move to the edge, but that the claim is that
 * device's. What its proof does not allow it claims itself, while the run stands still here for a while. Rejects with
 * `move_refused`, and the owner stays.
 */
export async function handOver(move: MoveAway, { owner, place, proof }: Successor): Promise<void> {
  const { node, host, syncer } = move
  const { log } = node
  const streams = await standStill(move)
  if (await covers(log, proof)) return giveAway(move, { owner, place }, streams)
  try {
    await confirmed(node, syncer)
  } catch (error) {
    host.release()
    throw refusal(node.run, error)
  }
  node.tellHeld(log.mustFold().head)
  await node.untilStopped(host, standMs)
  const late = new Error(`${owner} did not claim it`)
  if (node.host === host) await settleUnanswered(node, host, syncer, late)
}

/**
 * Asks, while steps under way end, what the edge has against the run. `refused` is known once it has said so, or does not answer:
 * who cannot wait for it claims, and is told then.
 */
function askBeforehand({ node: { run }, edge }: MoveAway): { readonly refused?: Error } {
  const asked: { refused?: Error } = {}
  edge.remote.blockers(run).then(
    (blockers) => {
      if (blockers.length > 0) asked.refused = new Error(blockers.join('; '))
    },
    (error: unknown) => {
      if (isWaystoneError(error, 'unreachable')) asked.refused = error
    },
  )
  return asked
}

/** Holds the host, until it is released. Gives the streams that were open: their text is told of. Rejects with `move_refused`, and the host goes on. */
async function standStill(
  { node, host, drainMs }: MoveAway,
  last: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly string[]> {
  const streams = openStreams(host.live())
  await host.hold(drainMs)
  try {
    await node.tellStreams(streams)
    await last()
    return streams
  } catch (error) {
    host.release()
    throw isWaystoneError(error, 'unreachable') ? error : refusal(node.run, error)
  }
}

/** Has the edge write the claim of somebody else at the head where the run stands still. */
async function giveAway(
  { node, host, syncer, edge }: MoveAway,
  target: Pick<Claim, 'owner' | 'place' | 'lent'>,
  streams: readonly string[],
): Promise<void> {
  const { run, log } = node
  const fold = log.mustFold()
  const claim: Claim = { ...target, base: fold.head, epoch: fold.epoch, reason: 'moved' }
  try {
    // Text that streams goes another way: it is there once the entries are.
    const tail = streams.length === 0 ? await syncer.tail() : undefined
    const lines = tail && (await claimWith(edge, run, { ...claim, tail }))
    if (lines === undefined) await confirmed(node, syncer)
    await log.adopt(lines ?? (await askForClaim(edge, run, claim)))
  } catch (error) {
    if (!(error instanceof Refused)) return settleUnanswered(node, host, syncer, error)
    host.release()
    throw refusal(run, error.cause)
  }
  host.stop()
  node.ownerChanged()
}

/**
 * Has the device that owns a run move it to the edge, which asks it to. Whatever fails leaves the owner where it was. Rejects with
 * `move_refused`, `unreachable`.
 */
export async function sendToEdge(move: Move): Promise<void> {
  const { node, syncer } = move
  const { run, log } = node
  const { head, identity } = log.mustFold()
  // The edge replays the run by itself.
  const proof = { head, version: identity.version, rules: replayRules }
  const held = await askForHold(move, { owner: edgeOwner, place: 'edge', proof }).catch((error: unknown) => {
    throw isUnanswered(error) ? error : refusal(run, error)
  })
  await node.adopt(held.lines).catch(() => undefined)
  if (log.mustFold().owner !== edgeOwner) await syncer.reconcile()
  const { owner } = log.mustFold()
  if (owner !== edgeOwner)
    throw refusal(run, new Error(`${owner}, which owns it, did not hand it over: it may be out of reach`))
  node.ownerChanged()
}

/**
 * Moves a run here: this device replays the open turn without effects, and its owner gives the run away once it stands still. When
 * that replay does not do for what was added meanwhile, the owner starts nothing for a while, and this device follows to the head,
 * replays that, and claims exactly that head. Until the claim is in the log the owner stays where it was.
 */
export async function moveHere(move: MoveHere): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await takeHere(move)
    } catch (error) {
      // By force nobody is held: an owner that writes on is met at one of its next heads.
      const isMissed = error instanceof WaystoneError && isWaystoneError(error.cause, 'head_moved')
      if (!move.force || !isMissed || tries === forcedTriesMax) throw error
    }
  }
}

async function takeHere({ node, syncer, edge, drainMs, force }: MoveHere): Promise<void> {
  const { run, log, ports } = node
  if (log.fold === undefined) await syncer.reconcile()
  // Before it is followed: a host that writes faster than this device reads would be followed for ever.
  // By force nobody is waited for; a device is not held, and the answer tells its head sooner than a comparison.
  const isTorn = force && log.mustFold().owner === edgeOwner
  const successor = force ? undefined : await successorHere(node)
  const held = isTorn ? undefined : await askForHold({ node, syncer, edge, drainMs }, successor)
  // The live connection may have brought it already.
  if (log.mustFold().owner === ports.me) return node.ownerChanged()
  if (held) await node.adopt(held.lines).catch(() => undefined)
  if (held === undefined || !isAt(held.head, log.mustFold().head, syncer.state.synced))
    await syncer.reconcile()
  const fold = log.mustFold()
  if (fold.owner === ports.me) return node.ownerChanged()
  const agent = node.agent(fold.identity.agent)
  const { blockers, lacks } = await node.rehearsedHere(fold)
  // An owner that is gone for good may have had other code: whoever takes its run by force is asked what is to become of its turn.
  const inTheWay = force ? lacks : blockers
  if (agent === undefined || inTheWay.length > 0) throw refusal(run, new Error(inTheWay.join('; ')))
  const claim: Claim = {
    base: fold.head,
    epoch: fold.epoch,
    owner: ports.me,
    place: ports.place,
    reason: force ? 'forced' : 'moved',
    proof: proofOf(fold, agent, []),
  }
  try {
    const lines = await edge.remote.claim(run, claim)
    await node.adopt(lines)
  } catch (error) {
    // The next try looks at the head, too: to follow somebody who writes takes long.
    if (force && isWaystoneError(error, 'head_moved')) throw refusal(run, error)
    // The claim may be in the log although no answer came: the log says.
    await syncer.reconcile().catch(() => undefined)
    if (log.mustFold().owner !== ports.me) throw isUnanswered(error) ? error : refusal(run, error)
  }
  node.ownerChanged()
}

/** Asks the owner to let go, for a successor if there is one: by force nobody is asked to do it for this device. */
async function askForHold(
  { node, edge, syncer, drainMs }: Move,
  successor: Successor | undefined,
): Promise<Held> {
  const { run, log } = node
  const from = log.mustFold().head.seq + 1
  try {
    const held = await edge.remote.hold(run, drainMs, from, successor)
    // Nothing was added that this device is not about to have.
    if (held.lines.length > 0) node.compared()
    return held
  } catch (error) {
    // It may have the run although no answer came: the log says.
    if (successor && isUnanswered(error)) await syncer.reconcile().catch(() => undefined)
    const { owner, head } = log.mustFold()
    if (owner === (successor?.owner ?? node.ports.me)) return { head, lines: [] }
    throw error
  }
}

/** This device, with a proof of what it has of the run; undefined where it cannot go on from there. */
async function successorHere(node: RunNode): Promise<Successor | undefined> {
  const fold = node.log.mustFold()
  const agent = node.agent(fold.identity.agent)
  const { blockers, open } = await node.rehearsedHere(fold)
  if (agent === undefined || blockers.length > 0) return undefined
  const { me, place } = node.ports
  return { owner: me, place, proof: proofOf(fold, agent, open) }
}

/** Why an encrypted run does not go on at the edge. */
export const endToEnd = 'it is end-to-end encrypted: the edge cannot read it'

/** What keeps an encrypted fork from going on at the edge: artifacts of its source stay sealed with the keys of that. */
export function sharedSealed(fold: Fold): readonly string[] {
  const begun = fold.blobs.filter(({ seq }) => seq === 0)
  if (!isSealed(fold) || fold.from === undefined) return []
  if (artifactsIn({ blobs: begun }, namesIn(fold)).length === 0) return []
  return [
    `it has artifacts of run ${fold.from.run}, whose keys would show the edge all of that run: store them anew before it is moved`,
  ]
}

/** The keys of an encrypted run, sealed for the edge; undefined for any other. Rejects with `move_refused`. */
async function lend({ run, log, ports }: RunNode, edge: Edge): Promise<string | undefined> {
  const fold = log.mustFold()
  if (!isSealed(fold)) return undefined
  const { encryption, clock } = ports
  if (encryption?.lend === undefined) throw refusal(run, new Error(endToEnd))
  try {
    const [shared] = sharedSealed(fold)
    if (shared !== undefined) throw new Error(shared)
    const to = await edge.remote.lendingKey?.(run)
    if (to === undefined) throw new Error('it is encrypted, and this edge borrows no keys')
    // A fork says those of its source, too: the source is not lent.
    const keys = fold.sealedWith.filter((key) => encryption.cipher.isOf(key, run))
    return await encryption.lend(to, { run, keys, now: clock.now() })
  } catch (error) {
    throw refusal(run, error)
  }
}

/** The edge has said no before it wrote anything. */
class Refused extends Error {}

/** Resolves when the edge has all that is here; what it does not confirm is refused. */
async function confirmed(node: RunNode, syncer: Syncer): Promise<void> {
  try {
    const message = `the edge did not confirm the last entries of run ${node.run}`
    await withDeadline(node, syncer.confirm(undefined), message)
  } catch (cause) {
    throw new Refused('not confirmed', { cause })
  }
}

/** Codes of a claim that was certainly not made; after any other answer, or none, nobody knows. */
const refusals: readonly ErrorCode[] = [
  'move_refused',
  'head_moved',
  'run_unknown',
  'run_ended',
  'run_deleted',
  'unauthorized',
  'forbidden',
  'limit_exceeded',
  'request_refused',
  'input_refused',
]

/** A claim that takes the last entries along; undefined when the edge has not taken them: then they are pushed first. */
async function claimWith(edge: Edge, run: RunId, claim: Claim): Promise<readonly Uint8Array[] | undefined> {
  try {
    return await askForClaim(edge, run, claim)
  } catch (error) {
    if (error instanceof Refused && isWaystoneError(error.cause, 'head_moved')) return undefined
    throw error
  }
}

async function askForClaim(edge: Edge, run: RunId, claim: Claim): Promise<readonly Uint8Array[]> {
  try {
    return await edge.remote.claim(run, claim)
  } catch (error) {
    if (error instanceof WaystoneError && refusals.includes(error.code))
      throw new Refused(error.message, { cause: error })
    throw error
  }
}

/** Nobody knows whether the claim was made: asks for the head until it is known. */
async function settleUnanswered(node: RunNode, host: RunHost, syncer: Syncer, cause: unknown): Promise<void> {
  const { log, ports, run } = node
  for (let wait = 200; ; wait = Math.min(wait * 2, 10_000)) {
    try {
      await syncer.reconcile()
      if (log.mustFold().owner !== ports.me) return host.stop()
      // Nobody takes over a run that has ended, and nothing follows its end.
      if (isEnded(log.mustFold())) {
        host.release()
        throw refusal(run, cause)
      }
      // The edge has no claim. An entry of ours after the head makes one that is still on its way fail.
      await log.append(ports.me, () => [opened(node, 'move_abandoned')])
      await withDeadline(
        node,
        syncer.confirm(undefined),
        `the edge did not confirm that the move of run ${run} was given up`,
      )
      if (log.mustFold().owner !== ports.me) return host.stop()
      host.release()
      throw refusal(run, cause)
    } catch (error) {
      if (isWaystoneError(error, 'move_refused')) throw error
      if (node.closed)
        throw new WaystoneError(
          'move_unknown',
          `run ${run} was closed before the edge said whether it has it`,
          { run, cause: error },
        )
    }
    await ports.clock.wait(wait, node.closing)
  }
}

function opened({ ports }: RunNode, reason: 'lending' | 'move_abandoned'): EntryDraft {
  const { place, random, software } = ports
  return { kind: 'open', body: { reason, place, ...writtenBy(random, software) } }
}

function withDeadline({ run, ports }: RunNode, work: Promise<void>, message: string): Promise<void> {
  const late = (): WaystoneError =>
    new WaystoneError('unreachable', `${message} within 10 s`, { run, actions: ['retry'] })
  return inTime(ports.clock, 10_000, work, late)
}

/** True when a log that ends with `mine` has what the edge has, or more of what the edge itself has sent. */
function isAt(head: Head, mine: Head, synced: Head | undefined): boolean {
  return mine.digest === head.digest || (mine.seq > head.seq && mine.digest === synced?.digest)
}

function isUnanswered(error: unknown): boolean {
  return isWaystoneError(error, 'unreachable') || !(error instanceof WaystoneError)
}

function refusal(run: RunId, cause: unknown): WaystoneError {
  if (isWaystoneError(cause, 'move_refused')) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new WaystoneError('move_refused', `run ${run} was not moved: ${why}`, {
    run,
    cause,
    actions: ['retry'],
  })
}
