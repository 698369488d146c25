import { isWaystoneError, toWire, WaystoneError, type WireError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Head } from '../ports/log-store.ts'
import { headOfLine } from '../log/plan-append.ts'
import type { RunLog } from '../log/run-log.ts'
import type { Claim, Follow } from '../ports/remote.ts'
import type { SyncState, WatchEvent } from '../ports/watch.ts'
import { Syncer, type Edge } from '../sync/syncer.ts'
import type { SessionSetup } from './options.ts'

/** What keeping a session at the edge needs of its host. */
export interface SessionEdgePorts {
  readonly log: RunLog
  readonly setup: SessionSetup
  readonly edge: Edge
  /** The log here has entries that came from the edge. */
  grown(): void
  /** `state` is another one. */
  changed(): void
}

/** Between two attempts to reach the edge, in ms: the first, and the most. */
const retryMsMin = 500
const retryMsMax = 15_000

/** Keeps a session at the edge, takes what others have written there, and asks for ownership. */
export class SessionEdge {
  readonly #ports: SessionEdgePorts
  readonly #syncer: Syncer
  readonly #closed = new AbortController()
  #follow: Follow | undefined
  #claiming: Promise<void> | undefined
  #reaching: Promise<void> | undefined
  #isRetrying = false
  #error: WireError | undefined

  constructor(ports: SessionEdgePorts) {
    this.#ports = ports
    const { me, clock, storage } = ports.setup
    this.#syncer = new Syncer(ports.log, {
      me,
      clock,
      local: storage.blobs,
      // A session has none.
      takeInbox: () => Promise.resolve(),
      edge: ports.edge,
      different: 'set aside',
      lost: () => void this.reach(),
      // What is written here is checked against the log as it is by then.
      stopWriting: () => Promise.resolve(),
      changed: () => ports.changed(),
    })
  }

  get state(): SyncState {
    const { state } = this.#syncer
    return this.#error ? { ...state, error: this.#error } : state
  }

  /** Follows what others do. */
  begin(): void {
    const { edge, setup, log } = this.#ports
    this.#follow = edge.remote.follow(setup.run, {
      as: setup.me,
      from: () => (log.fold?.head.seq ?? -1) + 1,
      onEvent: (event) => void this.#onRemote(event),
      onState: (online) => {
        if (online) void this.reach()
      },
    })
    if (!this.#syncer.ready) void this.reach()
  }

  /** The log here has grown by entries of this device. */
  appended(head: Head, lines: readonly Uint8Array[]): void {
    this.#syncer.appended(head, lines, { urgent: false })
  }

  /** The log here has grown by entries of another device, which came from the edge, also where another tab brought them. */
  received(head: Head): void {
    this.#syncer.received(head)
  }

  /** True when the edge has what is here now. */
  get hasAll(): boolean {
    return this.#syncer.state.synced?.digest === this.#ports.log.fold?.head.digest
  }

  /** Resolves when the edge has what is here now. */
  confirm(signal?: AbortSignal): Promise<void> {
    return this.#syncer.confirm(undefined, signal)
  }

  /** Compares with the edge, if it can be reached; else later. Resolves after the first attempt. Never rejects. */
  reach(): Promise<void> {
    this.#reaching ??= this.#reach().finally(() => (this.#reaching = undefined))
    return this.#reaching
  }

  /** Makes this device the owner of what the edge has. Rejects with `unreachable`, `move_refused`, `version_skew`. */
  claim(): Promise<void> {
    this.#claiming ??= this.#claim().finally(() => (this.#claiming = undefined))
    return this.#claiming
  }

  close(): void {
    this.#closed.abort()
    this.#follow?.close()
    this.#syncer.close()
  }

  async #claim(): Promise<void> {
    const { log, setup, edge } = this.#ports
    for (let tries = 1; ; tries += 1) {
      await this.#compared()
      const { head, epoch, owner, identity } = log.mustFold()
      if (owner === setup.me) return this.#ports.grown()
      if (identity.version > setup.version) throw newer(setup, identity.version)
      const { me, place, version, run } = setup
      const proof = { head, version, rules: 0 }
      const claim: Claim = { base: head, epoch, owner: me, place, reason: 'moved', proof }
      try {
        await this.#adopt(await edge.remote.claim(run, claim))
      } catch (error) {
        // The claim may be in the log although no answer came: the log says.
        await this.#compared().catch(() => undefined)
        const isFaster = isWaystoneError(error, 'head_moved') && tries < limits.writeTriesMax
        if (log.mustFold().owner !== me && !isFaster) throw error
      }
      if (log.mustFold().owner === me) return this.#ports.grown()
    }
  }

  /** Compares with the edge, and again later when that fails: until it has been, nothing counts as synced. */
  async #compared(): Promise<void> {
    try {
      await this.#reconcile()
    } catch (error) {
      void this.#reachAgain()
      throw error
    }
  }

  /** What the edge has sent it has: nothing of that is to be pushed. */
  async #adopt(lines: readonly Uint8Array[]): Promise<void> {
    await this.#ports.log.adopt(lines)
    const last = lines.at(-1)
    if (last) this.#syncer.received(headOfLine(last))
  }

  async #reach(): Promise<void> {
    if (this.#closed.signal.aborted) return
    // What is more than a lost network is told in `state`.
    await this.#compared().catch(() => undefined)
  }

  async #reachAgain(): Promise<void> {
    if (this.#isRetrying) return
    this.#isRetrying = true
    for (let ms = retryMsMin; this.#isRetrying; ms = Math.min(ms * 2, retryMsMax)) {
      await this.#ports.setup.clock.wait(ms, this.#closed.signal)
      if (this.#closed.signal.aborted) return
      this.#isRetrying = await this.#reconcile().then(
        () => false,
        () => true,
      )
    }
  }

  async #reconcile(): Promise<void> {
    const { log } = this.#ports
    const before = log.fold?.head.seq
    try {
      await this.#syncer.reconcile()
      this.#error = undefined
    } catch (error) {
      this.#error = isWaystoneError(error, 'unreachable') ? undefined : toWire(error)
      throw error
    } finally {
      if (log.fold?.head.seq !== before) this.#ports.grown()
      this.#ports.changed()
    }
  }

  async #onRemote(event: WatchEvent): Promise<void> {
    if (event.type !== 'lines') return
    const { log } = this.#ports
    try {
      const last = event.lines.at(-1)
      if (last === undefined || headOfLine(last).seq <= (log.fold?.head.seq ?? -1)) return
      await this.#adopt(event.lines)
      this.#ports.grown()
      this.#ports.changed()
    } catch {
      // What did not fit is fetched whole.
      await this.reach()
    }
  }
}

function newer({ run, version }: SessionSetup, found: number): WaystoneError {
  return new WaystoneError(
    'version_skew',
    `session ${run} has a state of version ${String(found)}, and the code here is version ${String(version)}: update the code here`,
    { run, actions: ['retry', 'fork'] },
  )
}
