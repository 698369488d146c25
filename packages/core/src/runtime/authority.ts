import { isWaystoneError, WaystoneError } from '../errors.ts'
import { InOrder } from '../in-order.ts'
import { edgeOwner, type Digest, type OwnerId, type RunId } from '../ids.ts'
import type { AnyAgent } from '../engine/agent.ts'
import type { Rehearsal } from '../engine/rehearsal.ts'
import type { Bodies, EntryDraft } from '../log/bodies.ts'
import { parseLine, verifyChain, type ParsedEntry } from '../log/entry.ts'
import { isEnded, mayFollowEnd, type Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import type { RunLog } from '../log/run-log.ts'
import { writtenBy, type Software } from '../log/written.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { LentKeys } from '../ports/cipher.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Inbox, InboxItem } from '../ports/inbox.ts'
import type { Append } from '../ports/log-store.ts'
import type { Claim, Proof, Pulled, Pushed } from '../ports/remote.ts'
import { acceptItem } from './accept-item.ts'
import { consumedBy } from './inbox-entries.ts'
import { lacksOf, rehearse, type Target } from './blockers.ts'
import { covers, proofOf } from './successor.ts'

/** What the authority of a run needs of the object it lives in. */
export interface AuthorityPorts {
  readonly clock: Clock
  readonly random: Random
  readonly blobs: Blobs
  readonly inbox: Inbox
  /** Keys of encrypted runs that devices lend; absent: this edge borrows none. */
  readonly lentKeys?: LentKeys | undefined
  /** What this edge runs in and with, for the log. */
  readonly software?: Software | undefined
  agent(name: string): AnyAgent | undefined
  /** Stops a host here, if there is one; resolves when it will append nothing any more. */
  stopHost(): Promise<void>
  /** True while the owner, a device, has been heard of within its lease. */
  ownerAlive(fold: Fold): boolean
  /** True while the owner, a device, stands still at this head so that somebody can claim it. */
  standsStill?(fold: Fold): boolean
  /** True while a device waits for the owner to hand the run over. */
  isAwaited?(device: OwnerId): boolean
}

/** Decides about one run at the edge: takes entries of the owner, and is the only one who changes the owner. */
export class Authority {
  readonly #log: RunLog
  readonly #ports: AuthorityPorts
  /** One after the other: one that fails must not forget the keys that another one has brought. */
  readonly #claims = new InOrder()
  /** What was replayed here last, and with which code. */
  #proved: { readonly proof: Proof; readonly turn: AnyAgent['turn'] } | undefined
  /** That replay, for the host that goes on from it. */
  #rehearsal: Rehearsal | undefined

  constructor(log: RunLog, ports: AuthorityPorts) {
    this.#log = log
    this.#ports = ports
  }

  /**
   * Stores entries of the owner. `as` is the device that sends them, where that is known: nobody writes as somebody else. Rejects with `forbidden`, `log_damaged`,
   * `entry_refused`.
   */
  push(append: Pick<Append, 'base' | 'lines'>, as?: OwnerId): Promise<Pushed> {
    return this.#push(append, as)
  }

  /** With a claim that is to be made behind these entries, in their transaction. */
  async #push(
    { base, lines }: Pick<Append, 'base' | 'lines'>,
    as: OwnerId | undefined,
    claim?: Claim,
  ): Promise<Pushed> {
    const { run } = this.#log
    const entries = verifyChain(run, base, lines)
    if (entries.length === 0)
      throw new WaystoneError('request_refused', 'a push has at least one entry', { run })
    const fold = this.#log.fold
    const fresh = entries.filter(({ seq }) => seq > (fold?.head.seq ?? -1))
    const foreign = fresh.find(
      ({ kind, owner, epoch }) =>
        kind === 'claim' || (fold ? owner !== fold.owner || epoch !== fold.epoch : epoch !== 0),
    )
    if (foreign) return this.#refusePush(foreign)
    // Nobody sends what the edge would have written.
    const other =
      as === undefined ? undefined : fresh.find(({ owner }) => owner !== as || owner === edgeOwner)
    if (as !== undefined && other) throw notYours(run, other.owner, as)
    if (fold && isEnded(fold) && !fresh.every(({ kind }) => mayFollowEnd(kind)))
      return { ok: false, code: 'head_moved', head: fold.head }
    const hashes = [...new Set(fresh.flatMap(({ blobs }) => blobs ?? []))]
    const take = (): Promise<Pushed> => this.#take(lines, entries, hashes, claim)
    return hashes.length === 0 ? take() : this.#log.holding(hashes, take)
  }

  async #take(
    lines: readonly Uint8Array[],
    entries: readonly ParsedEntry[],
    hashes: readonly Digest[],
    claim: Claim | undefined,
  ): Promise<Pushed> {
    const { run } = this.#log
    const { seq, digest } = entries.at(-1) as ParsedEntry
    const missing = hashes.length === 0 ? [] : await this.#ports.blobs.missing(run, hashes)
    if (missing.length > 0) return { ok: false, code: 'blob_missing', hashes: missing }
    try {
      const own = claim ? { own: this.#behind(claim) } : {}
      const stored = await this.#log.adopt(lines, { parsed: entries, ...own })
      const used = stored.flatMap(consumedBy)
      if (used.length > 0) await this.#ports.inbox.remove(run, used)
      return { ok: true, head: { seq, digest } }
    } catch (error) {
      if (isWaystoneError(error, 'head_moved'))
        return { ok: false, code: 'head_moved', head: this.#log.fold?.head }
      throw error
    }
  }

  /** One page of the log; the inbox too when the owner asks. */
  async pull(from: number | undefined, as: OwnerId | undefined): Promise<Pulled> {
    const { fold, run } = this.#log
    const lines = await this.#linesFrom(from)
    const inbox = fold && fold.owner === as && as !== edgeOwner ? await this.#waiting(fold) : []
    return { head: this.#log.fold?.head, lines, inbox: run ? inbox : [] }
  }

  /**
   * Changes the owner to the device that asks, to the edge, or to a device that the owner hands the run over to, at exactly the
   * head and epoch the claim names. Rejects with `forbidden`, `head_moved`, `move_refused`.
   */
  claim(claim: Claim, as?: OwnerId): Promise<readonly Uint8Array[]> {
    return this.#claims.run(() => this.#claim(claim, as))
  }

  async #claim(claim: Claim, as: OwnerId | undefined): Promise<readonly Uint8Array[]> {
    const isGiven = this.#log.fold !== undefined && this.#isHandedOver(this.#log.fold, claim, as)
    // Of a tail that is not taken the head tells; why, it is told when it is pushed.
    if (claim.tail) await this.#push(claim.tail, as, isGiven ? claim : undefined).catch(() => undefined)
    const fold = this.#log.mustFold()
    // Made with what came: claims are made one after the other.
    if (isGiven && fold.owner === claim.owner && fold.epoch === claim.epoch + 1) return this.#hasLeft(claim)
    const isHandedOver = this.#isHandedOver(fold, claim, as)
    this.#checkHead(fold, claim)
    if (isEnded(fold)) throw refused(fold, `it is ${fold.status}`)
    if (fold.owner === claim.owner) throw refused(fold, `${claim.owner} owns it already`)
    if (claim.owner === edgeOwner) {
      await this.#takeHere(fold, claim)
      return this.#log.lines(fold.head.seq + 1)
    }
    // Of a run that is handed over its owner has seen to it.
    if (!isHandedOver) await this.#checkDevice(fold, claim)
    await this.#append(fold, claim)
    return this.#hasLeft(claim)
  }

  /** The run is a device's: what was made ready for it here is not needed. Gives the entries behind the one that was claimed. */
  async #hasLeft({ base }: Claim): Promise<readonly Uint8Array[]> {
    this.takeRehearsal()?.drop()
    if (isSealed(this.#log.mustFold())) await this.#forgetKeys()
    return this.#log.lines(base.seq + 1)
  }

  /** True when its owner gives a run to a device that has asked for it. Throws `forbidden` for anybody else who speaks for another. */
  #isHandedOver(fold: Fold, { owner }: Claim, as: OwnerId | undefined): boolean {
    if (as === undefined || owner === edgeOwner || owner === as) return false
    if (as !== fold.owner || this.#ports.isAwaited?.(owner) !== true) throw notYours(fold.run, owner, as)
    return true
  }

  /** For an encrypted run with the keys that the claim lends: whatever fails, they are forgotten. */
  async #takeHere(fold: Fold, claim: Claim): Promise<void> {
    const { lentKeys } = this.#ports
    try {
      const borrowed =
        isSealed(fold) && claim.lent !== undefined ? await lentKeys?.take(fold.run, claim.lent) : undefined
      if (borrowed) await this.#log.readAgain()
      await this.#proveHere(this.#log.mustFold())
      // Kept before it is recorded: a host that dies in between owns nothing, and does not look for it.
      borrowed?.keep()
      const key = fold.sealedWith.at(-1)
      await this.#append(
        fold,
        claim,
        borrowed && key !== undefined ? { key, until: borrowed.until } : undefined,
      )
    } catch (error) {
      if (isSealed(fold)) await this.#forgetKeys()
      throw error
    }
  }

  async #append(fold: Fold, claim: Claim, lent?: NonNullable<Bodies['claim']['lent']>): Promise<void> {
    const entry = this.#entryOf(claim, fold.owner, lent)
    await this.#log.append(claim.owner, (now) => {
      this.#checkHead(now ?? fold, claim)
      return [entry]
    })
  }

  /** The claim as what is added behind the very entries that it names, and behind no others. */
  #behind(claim: Claim) {
    const first = (fold: Fold | undefined): readonly EntryDraft[] =>
      fold && !isEnded(fold) && isAt(fold, claim) ? [this.#entryOf(claim, fold.owner)] : []
    return { owner: claim.owner, first }
  }

  #entryOf({ reason, place, owner }: Claim, from: OwnerId, lent?: Bodies['claim']['lent']): EntryDraft {
    const { random, software } = this.#ports
    // What a device runs in it says itself, as it opens what it was given.
    const written = writtenBy(random, owner === edgeOwner ? software : undefined)
    return { kind: 'claim', body: { reason, place, from, ...(lent ? { lent } : {}), ...written } }
  }

  /** From here on what is sealed is closed again. */
  async #forgetKeys(): Promise<void> {
    this.#ports.lentKeys?.drop()
    await this.#log.readAgain()
  }

  /**
   * Puts an item into the inbox. An answer to a question that is not open is refused at once, and so is a second one:
   * `ask_unknown`, `answer_taken`. Sending the same item again is fine.
   */
  async send(item: InboxItem): Promise<void> {
    await acceptItem(() => this.#log.mustFold(), item, this.#ports.inbox)
  }

  async #linesFrom(from: number | undefined): Promise<readonly Uint8Array[]> {
    if (from !== undefined && from > (this.#log.fold?.head.seq ?? -1)) return []
    const lines = from === undefined ? [] : await this.#log.lines(from)
    const isThere = lines[0] !== undefined && parseLine(lines[0]).seq === from
    if (isThere || (from !== undefined && lines.length === 0)) return lines
    return this.#log.lines((this.#log.fold?.snapshots.at(-1)?.at.seq ?? -1) + 1)
  }

  async #waiting(fold: Fold): Promise<readonly InboxItem[]> {
    return (await this.#ports.inbox.list(fold.run)).filter(({ id }) => !fold.consumed.has(id))
  }

  #checkHead(fold: Fold, claim: Claim): void {
    if (isAt(fold, claim)) return
    throw new WaystoneError(
      'head_moved',
      `run ${fold.run} moved on: the claim is for entry ${String(claim.base.seq)} of epoch ${String(claim.epoch)}, the last is ${String(fold.head.seq)} of epoch ${String(fold.epoch)}`,
      { run: fold.run, details: { head: fold.head }, actions: ['retry'] },
    )
  }

  /** Why the run cannot go on at the edge; empty when it can. Of an encrypted run nothing that is in it is told. */
  async blockers(): Promise<readonly string[]> {
    const fold = this.#log.mustFold()
    if (!isSealed(fold)) return this.#replay(fold)
    // What is in it is seen when it is moved, with its keys.
    return this.#ports.lentKeys
      ? lacksOf(fold, this.#target)
      : ['it is encrypted, and this edge borrows no keys']
  }

  /** Rejects with `move_refused` when the run cannot go on at the edge. */
  async checkBlockers(): Promise<void> {
    refuseFor(this.#log.mustFold(), await this.blockers())
  }

  /** Whoever moves a run asks beforehand: what was replayed then is not replayed again while the run stands still. */
  async #replay(fold: Fold): Promise<readonly string[]> {
    const agent = this.#ports.agent(fold.identity.agent)
    const before = this.#proved
    // The same code, which may be provided with other things by now.
    if (before && before.turn === agent?.turn && (await covers(this.#log, before.proof)))
      return lacksOf(fold, this.#target)
    this.#proved = undefined
    this.takeRehearsal()?.drop()
    const { blockers, open, rehearsal } = await rehearse(fold, this.#target)
    if (agent && blockers.length === 0) {
      this.#proved = { proof: proofOf(fold, agent, open), turn: agent.turn }
      this.#rehearsal = rehearsal
    } else rehearsal?.drop()
    return blockers
  }

  /** The replay that has proved that the run can go on here, if there is one: it is the caller's from now on. */
  takeRehearsal(): Rehearsal | undefined {
    const rehearsal = this.#rehearsal
    this.#rehearsal = undefined
    return rehearsal
  }

  async #proveHere(fold: Fold): Promise<void> {
    const isReadable = this.#log.isReadable
    const blockers = isReadable ? await this.#replay(fold) : await this.blockers()
    refuseFor(fold, blockers)
    if (!isReadable) throw refused(fold, 'it is encrypted, and the edge was not lent its keys')
  }

  get #target(): Target {
    return { clock: this.#ports.clock, place: 'edge', agent: (name) => this.#ports.agent(name) }
  }

  async #checkDevice(fold: Fold, claim: Claim): Promise<void> {
    if (claim.proof?.head.digest !== claim.base.digest)
      throw refused(fold, 'the claim has no proof of exactly this head')
    if (fold.owner === edgeOwner) return this.#ports.stopHost()
    const isFree = claim.reason === 'forced' || this.#ports.standsStill?.(fold) === true
    if (!isFree && this.#ports.ownerAlive(fold))
      throw refused(fold, `its owner ${fold.owner} is there: move it from there, or force it`)
  }

  #refusePush(entry: { readonly owner: OwnerId; readonly kind: string }): Pushed {
    const { fold, run } = this.#log
    if (entry.kind === 'claim' || fold === undefined) {
      throw new WaystoneError(
        'request_refused',
        `entries of kind ${entry.kind} are written by the edge alone`,
        { run },
      )
    }
    return { ok: false, code: 'head_moved', head: fold.head }
  }
}

/** True for the head and epoch that a claim names. */
function isAt({ head, epoch }: Fold, claim: Claim): boolean {
  return head.digest === claim.base.digest && epoch === claim.epoch
}

function notYours(run: RunId, owner: OwnerId, as: OwnerId): WaystoneError {
  return new WaystoneError('forbidden', `run ${run}: device ${as} cannot act as ${owner}`, { run })
}

/** Throws `move_refused` when there is something against a move. */
function refuseFor(fold: Fold, blockers: readonly string[]): void {
  if (blockers.length > 0) throw refused(fold, blockers.join('; '))
}

function refused(fold: Fold, why: string): WaystoneError {
  return new WaystoneError('move_refused', `run ${fold.run} stays with ${fold.owner}: ${why}`, {
    run: fold.run,
    actions: ['retry'],
  })
}
