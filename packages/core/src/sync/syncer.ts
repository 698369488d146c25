import { isWaystoneError, toWire, WaystoneError, type WireError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { damagedReason, isDamage } from '../log/damage.ts'
import { parseLine } from '../log/entry.ts'
import { isSnapshotAfter } from '../log/log-reader.ts'
import { headOfLine } from '../log/plan-append.ts'
import type { RunLog } from '../log/run-log.ts'
import type { Blobs, RemoteBlobs } from '../ports/blobs.ts'
import type { Clock } from '../ports/clock.ts'
import type { InboxItem } from '../ports/inbox.ts'
import type { Head } from '../ports/log-store.ts'
import type { Pulled, Remote, Tail } from '../ports/remote.ts'
import type { SyncState } from '../ports/watch.ts'
import { Waker } from '../waker.ts'
import { childrenIn, mayNameChild } from './children-in.ts'
import { newPace } from './pace.ts'
import { RecentLines } from './recent-lines.ts'
import {
  syncModel,
  syncStep,
  type SyncEffect,
  type SyncEvent,
  type SyncModel,
  type SyncPolicy,
} from './step.ts'

/** The edge as a device reaches it. */
export interface Edge {
  readonly remote: Remote
  readonly blobs: RemoteBlobs
}

/** A page that was asked for from an entry on, and comes yet. */
export interface EarlyPull {
  readonly next: number | undefined
  readonly pulled: Promise<Pulled>
  /** When it came, in ms since 1970. */
  readonly answered: () => number | undefined
}

/** What a syncer works with. */
export interface SyncerPorts {
  readonly me: OwnerId
  readonly clock: Clock
  readonly local: Blobs
  /** Stores what waits at the edge for this device, in its order. */
  takeInbox(items: readonly InboxItem[]): Promise<void>
  readonly edge: Edge
  readonly policy?: SyncPolicy | undefined
  /** What the edge was asked for while the log here was still being read, for the first comparison. */
  readonly early?: EarlyPull | undefined
  /** What becomes of a log here that has not even its first entry in common with the edge's. Default: `refuse`. */
  readonly different?: 'refuse' | 'set aside'
  /** Resolves when the edge has the beginning of a child, or cannot have it. Absent: what is kept here starts none. */
  childBegun?(child: RunId): Promise<void>
  /** The edge has entries that are not here: whoever writes must stop, and `reconcile` be called. */
  lost(): void
  /** Resolves when nobody here writes the log, so that what the edge has can be taken. */
  stopWriting(): Promise<void>
  /** Entries of the edge were taken into the log: whoever else has it open here has not seen them. */
  brought?(): void
  changed(state: SyncState): void
}

/** A push that was not taken, whatever the edge has. */
const refused: SyncEvent = { type: 'pushed', pushed: { ok: false, code: 'head_moved', head: undefined } }

/** What the edge had for certain when it was asked. */
interface Known {
  /** The last entry that it has acknowledged. */
  readonly acked: Head | undefined
  /** It has written the claim of this epoch itself. */
  readonly epoch: number
}

/** Why entries were set aside. */
const others = 'the edge had other entries here'
const letGo = 'the edge has let go of what comes after'
const notThere = `${damagedReason}what the edge has not`

/** Keeps one run at the edge up to date with the log here, and brings what the edge has. */
export class Syncer {
  readonly #log: RunLog
  readonly #ports: SyncerPorts
  readonly #closed = new AbortController()
  readonly #waker = new Waker()
  #model: SyncModel | undefined
  #online = false
  #error: WireError | undefined
  /** What it had once, as somebody else has seen it. */
  #expected: Head | undefined
  /** The edge has less than it had. */
  #rolledBack: WireError | undefined
  #retryNow: AbortController | undefined
  #reconciling: Promise<void> | undefined
  /** What is stored here is not what was written: nothing of it may go to the edge. */
  #isDamaged = false
  /** Neither here nor at the edge there was anything when that was looked at. */
  #wasNowhere = false
  /** What is stored here before its newest snapshot is not: an edge that has nothing of the run begins there. */
  #beginsLate = false
  /** The edge has refused lines that are sound, and taken none since. */
  #isDoubted = false
  /** The blobs that the edge was given for what is to be pushed next. */
  #given: readonly string[] = []
  #early: EarlyPull | undefined
  readonly #recent = new RecentLines(limits.tailBytesMax)
  /** Hosts of this run that were found to have ended in the middle of their work, before there was a model. */
  #recoveries = 0

  constructor(log: RunLog, ports: SyncerPorts) {
    this.#log = log
    this.#ports = ports
    this.#early = ports.early
  }

  get state(): SyncState {
    const error = this.#rolledBack ?? this.#error
    return { online: this.#online, synced: this.#model?.acked, ...(error ? { error } : {}) }
  }

  /** False until the logs were compared for the first time, and while they are known to differ. */
  get ready(): boolean {
    return this.#model !== undefined && this.#model.doing !== 'lost'
  }

  /** The log here has grown by lines, which end with this head. Pushes only after the first `reconcile`. */
  appended(
    head: Head,
    lines: readonly Uint8Array[],
    told: { readonly urgent: boolean; readonly turns?: number },
  ): void {
    this.#recent.add(head.seq + 1 - lines.length, lines)
    this.#event({ type: 'appended', head, ...told })
  }

  /** The edge itself has sent what the log here has up to this entry. */
  received(head: Head): void {
    this.#recent.clear()
    if (this.#model === undefined && this.#wasNowhere) this.#reconciled(head)
    else this.#event({ type: 'received', head })
  }

  /**
   * What the edge is not known to have, for a claim to take along. Undefined when there is nothing, too much, or no saying
   * what it has.
   */
  async tail(): Promise<Tail | undefined> {
    const { acked, doing } = this.#model ?? {}
    const isClear = doing === 'nothing' || doing === 'pushing'
    if (!this.#online || !isClear || acked === undefined || this.#isDamaged) return undefined
    const { head } = this.#log.mustFold()
    const recent = this.#recent.between(this.#log.run, acked, head)
    // What is damaged is found by the push.
    const lines = recent ?? (await this.#log.provenLines(acked.seq + 1).catch(() => []))
    const last = lines.at(-1)
    if (last === undefined || headOfLine(last).seq !== head.seq) return undefined
    // A child is there before its parent says so, as a push sees to it.
    if (this.#ports.childBegun && lines.some(mayNameChild)) return undefined
    const bytes = lines.reduce((sum, line) => sum + line.byteLength, 0)
    return bytes > limits.tailBytesMax ? undefined : { base: acked, lines }
  }

  /** The edge had this entry: looked for whenever logs are compared, and now when they have been. */
  expect(seen: Head): void {
    if ((this.#expected?.seq ?? -1) < seen.seq) this.#expected = seen
    if (this.#model) void this.reconcile().catch(() => undefined)
  }

  async #checkExpected(): Promise<void> {
    const expected = this.#expected
    if (expected === undefined) return
    const found = this.#log.fold?.head
    const [mine] = await this.#log.reader.heads(expected.seq, expected.seq)
    // What was let go of here since is in the chain of what is left.
    const isThere =
      mine?.digest === undefined ? (found?.seq ?? -1) > expected.seq : mine.digest === expected.digest
    if (isThere) this.#expected = undefined
    else this.#setRolledBack(undefined, found)
  }

  /** Whoever wrote the run before has ended in the middle of it, or was gone. */
  recovered(): void {
    if (this.#model === undefined) this.#recoveries += 1
    else this.#event({ type: 'recovered' })
  }

  /** What has gathered is pushed now. */
  flush(): void {
    this.#event({ type: 'flush' })
  }

  /** The network may be back: try now. */
  retry(): void {
    this.#retryNow?.abort()
    this.#event({ type: 'retry' })
  }

  /** Resolves when the edge has everything up to `seq`, or up to the head of now. Never while there is no network. */
  async confirm(seq: number | undefined, signal?: AbortSignal): Promise<void> {
    const target = seq ?? this.#log.mustFold().head.seq
    this.retry()
    this.flush()
    while (!this.#closed.signal.aborted && !signal?.aborted) {
      if (this.#online && (this.#model?.acked?.seq ?? -1) >= target && this.#model?.doing !== 'lost') return
      await this.#waker.next(signal)
    }
    if (signal?.aborted) return await new Promise<never>(() => undefined)
    throw new WaystoneError('closed', `run ${this.#log.run} was closed while it waited for the edge`, {
      run: this.#log.run,
    })
  }

  /**
   * Compares the log here with the edge's: brings what is only there, sets aside what is only here while the edge has
   * something else in its place, and then pushes the rest. Rejects with `unreachable` when there is no answer.
   */
  reconcile(): Promise<void> {
    this.#reconciling ??= this.#compare()
      .then(() => this.#checkExpected())
      .catch((error: unknown) => {
        // Somebody may wait for a run that this device cannot read, or does not believe.
        if (isWaystoneError(error, 'key_missing') || isWaystoneError(error, 'log_damaged'))
          this.#setError(toWire(error))
        throw error
      })
      .finally(() => (this.#reconciling = undefined))
    return this.#reconciling
  }

  async #compare(): Promise<void> {
    const { remote } = this.#ports.edge
    const { run } = this.#log
    if (this.#isDamaged) {
      await this.#ports.stopWriting()
      const acked = this.#model?.acked
      await this.#log.recheck(acked)
      // Where it parts cannot be read here any more: then all is set aside, and taken from the edge.
      if (!(await this.#log.isSound(acked))) {
        if (acked === undefined) throw stillDamaged(run)
        await this.#takeTheirs(notThere)
      }
      this.#isDamaged = false
    }
    for (;;) {
      const local = this.#log.fold?.head
      const next = local && local.seq + 1
      // An answer may be late: it is held against what was known when it was asked for.
      const known = { acked: this.#model?.acked, epoch: this.#log.fold?.epoch ?? 0 }
      const early = this.#early?.next === next ? this.#early?.pulled : undefined
      this.#early = undefined
      const pulled = await this.#ask(() => early ?? remote.pull(run, next, this.#ports.me))
      await this.#ports.takeInbox(pulled.inbox)
      if (pulled.head === undefined) {
        this.#checkKept(known, undefined, undefined)
        break
      }
      if (local === undefined || pulled.head.seq > local.seq) {
        const first = pulled.lines[0]
        if (first === undefined)
          throw new WaystoneError(
            'unreachable',
            `the edge has run ${run} up to entry ${String(pulled.head.seq)}, but sent none`,
            { run },
          )
        await this.#ports.stopWriting()
        if (local === undefined) await this.#log.adopt(await this.#toBegin(pulled.lines))
        else if (parseLine(first).prev === local.digest) {
          await this.#log.adopt(pulled.lines)
          this.#ports.brought?.()
        } else if (parseLine(first).seq > local.seq + 1) await this.#beginAnew(pulled.lines)
        else await this.#setAside(local, pulled.head, known)
        continue
      }
      const [mine] =
        pulled.head.digest === local.digest
          ? [{ ...local, epoch: known.epoch }]
          : await this.#log.reader.heads(pulled.head.seq, pulled.head.seq)
      if (mine?.digest === pulled.head.digest) {
        this.#checkKept(known, { ...pulled.head, epoch: mine.epoch }, pulled.head)
        // What it had once it gets again.
        return this.#reconciled(pulled.head)
      }
      await this.#ports.stopWriting()
      await this.#setAside(local, pulled.head, known)
    }
    this.#reconciled(undefined)
  }

  /** Ends pushing. */
  close(): void {
    this.#closed.abort()
    this.#retryNow?.abort()
    this.#waker.wake()
  }

  #reconciled(acked: Head | undefined): void {
    const local = this.#log.fold?.head
    this.#wasNowhere = local === undefined
    if (local === undefined) return
    this.#setOnline(true)
    const pace = newPace(this.#ports.clock.now(), this.#recoveries)
    this.#model ??= syncModel(local, undefined, this.#ports.policy, pace)
    this.#event({ type: 'reconciled', local, acked })
  }

  async #beginAnew(lines: readonly Uint8Array[], reason = letGo): Promise<void> {
    await this.#log.beginAnew(await this.#toBegin(lines), reason)
  }

  /** Lines to begin a log with: as many as it takes to have the snapshot of the entry before the first. */
  async #toBegin(lines: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const all: Uint8Array[] = []
    const { seq, prev } = parseLine(lines[0] as Uint8Array)
    for (let page = lines; page.length > 0;) {
      all.push(...page)
      if (seq === 0 || page.some((line) => isSnapshotAfter(line, prev))) break
      const next = seq + all.length
      page = (await this.#ask(() => this.#ports.edge.remote.pull(this.#log.run, next, this.#ports.me))).lines
    }
    return all
  }

  /**
   * Finds the last entry both have, sets aside what is here after it, and takes what the edge has. Each may have let go of
   * other entries: where none is left that both have, all that is here is set aside.
   */
  async #setAside(local: Head, remote: Head, known: Known): Promise<void> {
    const { run } = this.#log
    const shorter = Math.min(local.seq, remote.seq)
    for (let back = 64; ; back *= 8) {
      const from = Math.max(0, shorter - back)
      const theirs = await this.#remoteLines(from, remote.seq)
      const mine = new Map((await this.#log.reader.heads(from, shorter)).map((one) => [one.seq, one]))
      const begins = mine.keys().next().value ?? from
      const differs = theirs.findIndex((line) => {
        const { seq, digest } = headOfLine(line)
        return seq >= begins && digest !== mine.get(seq)?.digest
      })
      const common = differs < 0 ? undefined : mine.get(headOfLine(theirs[differs] as Uint8Array).seq - 1)
      const digest = differs < 0 ? undefined : parseLine(theirs[differs] as Uint8Array).prev
      if (common && digest && digest === common.digest) {
        const keep = { seq: common.seq, digest }
        this.#checkKept(known, { ...keep, epoch: common.epoch }, remote)
        return this.#replaceTail(keep, theirs.slice(differs))
      }
      if (theirs[0] && parseLine(theirs[0]).seq > from) return this.#beginAnew(theirs)
      if (begins > from) return this.#takeTheirs()
      if (from === 0 && this.#isOneRun(theirs)) {
        this.#checkKept(known, undefined, remote)
        return this.#beginAnew(theirs, others)
      }
      if (from === 0) {
        throw new WaystoneError(
          'log_damaged',
          `run ${run} here and run ${run} at the edge are different runs: give one of them another id`,
          { run, actions: ['fork'] },
        )
      }
    }
  }

  async #replaceTail(keep: Head, lines: readonly Uint8Array[]): Promise<void> {
    const damaged = (await this.#log.isSound(keep)) ? undefined : notThere
    try {
      await this.#log.replaceTail(keep, lines, damaged ?? others, damaged)
    } catch (error) {
      // What comes before is damaged here, which nobody needed as long as a newer snapshot was sound.
      if (!isDamage(error)) throw error
      await this.#takeTheirs(damaged)
    }
  }

  /** All that is here is set aside; `damaged` when what comes after what the edge has is. */
  async #takeTheirs(damaged?: string): Promise<void> {
    const { remote } = this.#ports.edge
    const { lines } = await this.#ask(() => remote.pull(this.#log.run, undefined, this.#ports.me))
    await this.#log.beginAnew(await this.#toBegin(lines), damaged ?? others, damaged)
  }

  /**
   * True when the run at the edge, which begins otherwise, is the one that is meant here: this device began it, and has
   * forgotten that; or a child was begun by its parent there and here, as the one place did not know of the other.
   */
  #isOneRun([first]: readonly Uint8Array[]): boolean {
    if (this.#ports.different === 'set aside' || this.#log.fold?.parent !== undefined) return true
    return first !== undefined && parseLine(first).owner === this.#ports.me
  }

  /**
   * Tells when the edge has lost what it had for certain: what it has acknowledged here, or a claim, which it wrote itself.
   * `common` is the last entry that both have, `found` the edge's last.
   */
  #checkKept(
    { acked, epoch }: Known,
    common: (Head & { readonly epoch: number }) | undefined,
    found: Head | undefined,
  ): void {
    const isKept = (acked?.seq ?? -1) <= (common?.seq ?? -1) && epoch <= (common?.epoch ?? 0)
    if (!isKept) this.#setRolledBack(common, found)
  }

  #setRolledBack(common: Head | undefined, found: Head | undefined): void {
    if (this.#rolledBack) return
    const { run } = this.#log
    const error = new WaystoneError(
      'rolled_back',
      `the edge has gone back on run ${run}: expected what it had once, found entry ${String(found?.seq ?? 'none')} as its last and entry ${String(common?.seq ?? 'none')} as the last in common. Whoever runs it has restored an old state, or hides what is newer`,
      {
        run,
        details: { common: common && { seq: common.seq, digest: common.digest }, found },
        actions: ['fork'],
      },
    )
    this.#rolledBack = toWire(error)
    this.#ports.changed(this.state)
  }

  async #remoteLines(from: number, to: number): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (let next = from; next <= to;) {
      const page = await this.#ask(() => this.#ports.edge.remote.pull(this.#log.run, next, this.#ports.me))
      const last = page.lines.at(-1)
      if (last === undefined) break
      lines.push(...page.lines)
      next = parseLine(last).seq + 1
    }
    return lines
  }

  #event(event: SyncEvent): void {
    if (this.#model === undefined || this.#closed.signal.aborted) return
    const [model, effects] = syncStep(this.#model, event, this.#ports.clock.now())
    this.#model = model
    for (const effect of effects) this.#carryOut(effect)
    this.#waker.wake()
  }

  #carryOut(effect: SyncEffect): void {
    switch (effect.type) {
      case 'push':
        return void this.#push(effect.base)
      case 'put blobs':
        return void this.#putBlobs(effect.hashes)
      case 'wait':
        return void this.#wait(effect.ms)
      case 'time':
        return void this.#ports.clock
          .wait(effect.ms, this.#closed.signal)
          .then(() => this.#event({ type: 'due' }))
      case 'reconcile':
        return this.#ports.lost()
      case 'online':
        return this.#setOnline(effect.online)
      case 'synced':
        return this.#ports.changed(this.state)
    }
  }

  async #push(acked: Head | undefined): Promise<void> {
    // It was put off after what was found: now it is set aside, and the rest compared.
    if (this.#isDamaged) return this.#event(refused)
    try {
      const base = acked ?? (await this.#beginning())
      const lines = await this.#log.provenLines((base?.seq ?? -1) + 1)
      await this.#bringChildren(lines)
      if (this.#closed.signal.aborted) return
      const pushed = await this.#ports.edge.remote.push(this.#log.run, { base, lines })
      this.#error = undefined
      if (pushed.ok) {
        this.#isDoubted = false
        this.#given = []
      }
      this.#event({ type: 'pushed', pushed })
    } catch (error) {
      const isDamaged = isDamage(error) && (await this.#foundDamage(acked).catch(() => false))
      if (!isDamaged && this.#mayDiffer(error)) this.#event(refused)
      else this.#failed(error)
    }
  }

  /**
   * Waits until the edge has the beginnings of the children that lines name. Should this device be lost then, they are there for
   * whoever goes on with their parent, who would wait for one that nobody knows.
   */
  async #bringChildren(lines: readonly Uint8Array[]): Promise<void> {
    const { childBegun } = this.#ports
    if (childBegun === undefined) return
    // What cannot be read here may be at the edge: then the push goes on as it is.
    const children = await childrenIn(lines, (stored) => this.#log.reader.resolve(stored)).catch(() => [])
    await Promise.all(children.map((child) => childBegun(child)))
  }

  /** True when what the edge did not take is damaged here: what can be done about it is done with the next push. */
  async #foundDamage(acked: Head | undefined): Promise<boolean> {
    const base = acked ?? (await this.#beginning().catch(() => undefined))
    if (await this.#log.isSound(base)) return false
    this.#beginsLate = base === undefined && this.#log.mustFold().snapshots.length > 0
    // Where not even the beginning is sound the host goes on: from its next snapshot on it can be read again.
    const isReadable = base !== undefined || (await this.#log.reader.foldSound()).fold !== undefined
    this.#isDamaged = !this.#beginsLate && isReadable
    return true
  }

  /**
   * True when the edge may have another log by now, or not any more what these lines follow. That is looked at once: an edge
   * that says so of the log that it was just found to have is asked again later.
   */
  #mayDiffer(error: unknown): boolean {
    if (isWaystoneError(error, 'not_owner')) return true
    if (!isWaystoneError(error, 'log_damaged') || this.#isDoubted) return false
    this.#isDoubted = true
    return true
  }

  /** Where a log begins for an edge that has nothing of it: at its newest snapshot when entries before it are gone or damaged. */
  async #beginning(): Promise<Head | undefined> {
    const first = this.#beginsLate ? undefined : await this.#log.reader.first()
    return first === 0 ? undefined : this.#log.mustFold().snapshots.at(-1)?.at
  }

  #failed(error: unknown): void {
    this.#error = isWaystoneError(error, 'unreachable') ? undefined : toWire(error)
    this.#event({ type: 'failed' })
    this.#ports.changed(this.state)
  }

  async #putBlobs(hashes: readonly string[]): Promise<void> {
    const { run } = this.#log
    try {
      const again = hashes.find((hash) => this.#given.includes(hash))
      this.#given = again === undefined ? [...this.#given, ...hashes] : []
      // It would be given it again at once, and say so again.
      if (again !== undefined)
        throw new WaystoneError(
          'blob_missing',
          `the edge was given blob ${again} of run ${run}, and has it not`,
          {
            run,
          },
        )
      for (const hash of await this.#notShared(hashes as readonly Digest[])) {
        const bytes = await this.#ports.local.get(run, hash)
        if (bytes === undefined)
          throw new WaystoneError('blob_missing', `run ${run} needs blob ${hash}, which is not here`, { run })
        await this.#ports.edge.blobs.put(run, hash, bytes)
      }
    } catch (error) {
      return this.#failed(error)
    }
    await this.#push(this.#model?.acked)
  }

  /** Those of the blobs that the edge has not got from the run that this one was forked from. */
  async #notShared(hashes: readonly Digest[]): Promise<readonly Digest[]> {
    const { from, run } = this.#log.mustFold()
    return from ? this.#ports.edge.blobs.share(from.run, run, hashes) : hashes
  }

  async #wait(ms: number): Promise<void> {
    const stop = new AbortController()
    this.#retryNow = stop
    await this.#ports.clock.wait(ms, stop.signal)
    this.#event({ type: 'retry' })
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      const answer = await question()
      this.#setError(undefined)
      return answer
    } catch (error) {
      if (isWaystoneError(error, 'unreachable')) this.#setOnline(false)
      else this.#setError(toWire(error))
      throw error
    }
  }

  /** Told also of a run that is not here yet: somebody may wait for it whom the edge does not let in. */
  #setError(error: WireError | undefined): void {
    if (this.#error?.code === error?.code) return
    this.#error = error
    this.#ports.changed(this.state)
  }

  #setOnline(online: boolean): void {
    if (this.#online === online) return
    this.#online = online
    this.#ports.changed(this.state)
    this.#waker.wake()
  }
}

function stillDamaged(run: RunId): WaystoneError {
  return new WaystoneError(
    'log_damaged',
    `what run ${run} has here after what the edge has is damaged, and cannot be set aside`,
    { run, actions: ['fork'] },
  )
}
