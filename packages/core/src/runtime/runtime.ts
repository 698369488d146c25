import { fromWire, isWaystoneError, toWire, WaystoneError } from '../errors.ts'
import { newId, parseRunId, type Digest, type RunId } from '../ids.ts'
import { limits } from '../limits.ts'
import { listen } from '../listen.ts'
import type { Bodies, EntryDraft } from '../log/bodies.ts'
import { Breakers } from '../engine/breakers.ts'
import type { AnyAgent } from '../engine/agent.ts'
import { within } from '../engine/in-time.ts'
import { endOf, parentOver, type ChildStart, type Children } from '../engine/run-child.ts'
import { artifactsIn, isEnded, type Fold } from '../log/fold.ts'
import { isSealed } from '../log/public-body.ts'
import { RunLog } from '../log/run-log.ts'
import { isSession, sessionAgent, sessionIsNoRun } from '../log/session-agent.ts'
import { isNotedAtEdge, summariesOf } from '../log/summaries.ts'
import { checkVersions, writtenBy } from '../log/written.ts'
import type { InboxContent, InboxItem } from '../ports/inbox.ts'
import type { Head, RunSummary } from '../ports/log-store.ts'
import type { WatchEvent } from '../ports/watch.ts'
import { decodeValue } from '../state/codec.ts'
import type { Json } from '../json.ts'
import { digestBytes } from '../state/digest.ts'
import { callListener } from '../call-listener.ts'
import { acceptItem } from './accept-item.ts'
import type { ForkRequest, MoveOptions, MoveTarget, RuntimeApi, StartOptions } from './api.ts'
import { blobsNamed, foldImported, importedEntries, parseExport } from './import-run.ts'
import { forkEntry, startEntry, type Writer } from './first-entry.ts'
import { familyIds } from './family-ids.ts'
import { foldAside } from './fold-aside.ts'
import { logPorts } from '../sync/log-ports.ts'
import { endToEnd, sharedSealed } from './mover.ts'
import { sealContent } from './sealed-items.ts'
import { checkInboxItemSize, inboxItemOf } from '../sync/wire.ts'
import { RunNode, type RuntimePorts } from './run-node.ts'
import type { TabMessage } from './tab-message.ts'

/** The longest lease of a run, in ms: 30 days. */
const leaseMsMax = 30 * 86_400_000

/** How long a move waits for the tab that writes the run, in ms. */
const tabAnswerMs = 60_000

/** Between two tries to move a child to the edge, in ms. */
const leaveMsMin = 1_000
const leaveMsMax = 60_000

/** A parent waits so long for the edge to have the beginning of a child, in ms, each time that it is about to be pushed. */
const begunMsMax = 30_000

/** The end of a run that was left here is waited for so long, in ms, before the next one is looked at, and at most so many are at once. */
const restMsMax = 60_000
const comingMax = 8

/** The runtime itself watches each of its runs. */
const ownWatchers = 1

/** Where a run of an id is looked for before one is started; `edge` rejects when that does not answer. */
type Look = 'here' | 'edge if it answers' | 'edge'

/** The runs of one device: starts them, goes on with those that were interrupted, follows the others. */
export class Runtime implements RuntimeApi {
  readonly #ports: RuntimePorts
  readonly #nodes = new Map<RunId, Promise<RunNode>>()
  readonly #watchers = new Map<number, () => void>()
  readonly #runListeners = new Set<() => void>()
  readonly #moves = new Map<string, (error: unknown) => void>()
  /** Those that are closed soon. */
  readonly #idle = new Set<RunNode>()
  /** Children that hosts here wait for. */
  readonly #joined = new Set<RunId>()
  /** Children that are on their way to the edge. */
  readonly #leaving = new Set<RunId>()
  readonly #unlisten: () => void
  readonly #registered: { agents: readonly AnyAgent[] }
  #watcherCount = 0
  #closed = false

  private constructor(ports: RuntimePorts) {
    const children: Children = {
      start: (child) => this.#startChild(child),
      // One that is at the edge may not have come here yet.
      end: async (run) => {
        this.#joined.add(run)
        const { fold } = (await this.#node(run)).log
        return fold && endOf(fold)
      },
      cancel: (run, reason) => this.#cancelChild(run, reason),
    }
    const registered = { agents: ports.agents }
    this.#registered = registered
    this.#ports = {
      ...{ breakers: new Breakers(ports.clock), children, ...ports },
      begunAtEdge: (run: RunId) => this.#begunAtEdge(run),
      // Asked at every turn: other ones may have taken their place.
      get agents() {
        return registered.agents
      },
    }
    this.#unlisten = ports.channel.listen(
      // What a store fails to list now is found when this is opened again.
      (message) => void this.#onTab(message as TabMessage).catch(() => undefined),
    )
  }

  /** Opens the runs of this device and goes on with every one that it owns and that has not ended. */
  static async open(ports: RuntimePorts): Promise<Runtime> {
    checkNames(ports.agents)
    checkVersions(ports.software?.versions)
    const runtime = new Runtime(ports)
    const runs = await runtime.runs()
    const over = new Map(runs.filter(isEnded).map((summary) => [summary.run, summary]))
    for (const { run } of runs.filter((summary) => runtime.#isUnfinished(summary)))
      void runtime.#node(run).then(
        // A host that was killed had no time for the children of a run that ended.
        (node) => runtime.#cancelIfOver(node, over.get(node.log.fold?.parent ?? node.run)),
        // It says so to whoever opens it.
        () => undefined,
      )
    if (ports.edge) void runtime.#bringRest(runs)
    return runtime
  }

  /**
   * Puts agents in the place of those of the same names, as hot reload does; others stay. Turns that begin from now on are
   * theirs, and open turns whose code has changed are replayed with the new code: where that differs the run pauses, with
   * `retry`, `restart` and `fork` to go on. Throws `input_refused` for two of one name.
   */
  replaceAgents(agents: readonly AnyAgent[]): void {
    this.#checkOpen()
    checkNames(agents)
    const before = this.#registered.agents
    const codeOf = (name: string): unknown => before.find((agent) => agent.name === name)?.turn
    // What a place provides may be made anew at every call, and is none of the code.
    const changed = agents.filter(({ name, turn }) => codeOf(name) !== turn).map(({ name }) => name)
    const names = new Set(agents.map(({ name }) => name))
    this.#registered.agents = [...before.filter(({ name }) => !names.has(name)), ...agents]
    void this.#each((node) => node.renew(new Set(changed)))
  }

  async info(): ReturnType<RuntimeApi['info']> {
    return { device: this.#ports.me, place: this.#ports.place, edge: this.#ports.edge !== undefined }
  }

  start(name: string, input: Json, options: StartOptions = {}): Promise<RunId> {
    return this.#start(name, input, options, options.generated ? 'here' : 'edge if it answers')
  }

  async #start(
    name: string,
    input: Json,
    options: StartOptions & { readonly parent?: RunId; readonly depth?: number },
    look: Look,
  ): Promise<RunId> {
    this.#checkOpen()
    const agent = this.#ports.agents.find((one) => one.name === name)
    if (agent === undefined) throw agentMissing(name)
    const run = parseRunId(options.id ?? newId(this.#ports.random))
    if (options.id !== undefined && (await this.#exists(run, look))) return this.#opened(run)
    const { whenGone = 'offer' as const, leaseMs = 30_000, budget, parent, depth } = options
    checkPolicy(whenGone, leaseMs)
    const policy = { whenGone, leaseMs, ...(budget ? { budget } : {}), ...(parent ? { parent, depth } : {}) }
    if (this.#ports.encryption && policy.whenGone === 'edge') throw notByItself(run)
    const log = await this.#openLog(run)
    const body = startEntry(agent, decodeValue(input), this.#writer(), policy)
    return this.#begin(log, [{ kind: 'start', body }])
  }

  async runs(): Promise<readonly RunSummary[]> {
    const summaries = await summariesOf(this.#ports.store)
    const ofAgents = summaries.filter(({ agent }) => agent !== sessionAgent)
    return Promise.all(ofAgents.map((summary) => this.#withLive(summary)))
  }

  async watchRuns(listener: () => void): Promise<number> {
    return this.#watcher(listen(this.#runListeners, listener))
  }

  async watch(run: RunId, listener: (event: WatchEvent) => void, seen?: Head): Promise<number> {
    const node = await this.#node(parseRunId(run))
    if (node.closed) return this.watch(run, listener, seen)
    if (seen) node.syncer?.expect(seen)
    const stop = node.watch(listener)
    return this.#watcher(() => {
      stop()
      void this.#letGo(node)
    })
  }

  async unwatch(watcher: number): Promise<void> {
    this.#watchers.get(watcher)?.()
    this.#watchers.delete(watcher)
  }

  async lines(run: RunId, from: number): Promise<readonly Uint8Array[]> {
    return this.#ports.store.read(run, from)
  }

  async snapshot(run: RunId, before: number): Promise<Uint8Array | undefined> {
    const { fold } = (await this.#node(run)).log
    for (const { at, entry } of (fold?.snapshots ?? []).toReversed()) {
      if (at.seq >= before) continue
      // One of entries that were set aside is no part of this log.
      const line = await this.#ports.snapshots.get(run, at.seq)
      if (line && digestBytes(line) === entry.digest) return line
    }
    return undefined
  }

  async blob(run: RunId, hash: Parameters<RuntimeApi['blob']>[1]): Promise<Uint8Array | undefined> {
    return (await this.#node(run)).blobs.get(run, hash)
  }

  async missing(run: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]> {
    const { blobs, edge } = this.#ports
    const missing = await blobs.missing(run, hashes)
    return missing.length === 0 || edge === undefined ? missing : edge.blobs.missing(run, missing)
  }

  async stream(run: RunId, stream: string): ReturnType<RuntimeApi['stream']> {
    return this.#ports.streams.read(run, stream, 0)
  }

  async send(
    run: RunId,
    content: InboxContent,
    options: { readonly id?: string; readonly by?: string } = {},
  ): Promise<void> {
    const { me, clock, random, edge } = this.#ports
    const node = await this.#node(run)
    const fold = node.log.mustFold()
    const id = options.id ?? newId(random)
    const sender = { id, by: options.by ?? me, time: clock.now() }
    // It is written into the log as it is, where every other host refuses what is none.
    const sent = inboxItemOf({ ...content, ...sender })
    const cipher = this.#ports.encryption?.cipher
    const item: InboxItem =
      cipher && fold.inbox
        ? { ...(await sealContent(cipher, fold.inbox, { run, id }, content)), ...sender }
        : sent
    // It may have to follow the run to another host. A state that is gone back to is taken at once.
    if (content.type !== 'rewind') checkInboxItemSize(item)
    // Sealing takes its time: the run may have moved.
    const { owner, consumed } = node.log.mustFold()
    if (consumed.has(item.id)) return
    if (owner !== me) {
      if (edge === undefined)
        throw new WaystoneError(
          'unreachable',
          `run ${run} is owned by ${owner}, and this Waystone has no edge to reach it`,
          { run },
        )
      if (await node.sendToEdge(edge, item)) return
    }
    await node.settleInbox()
    await acceptItem(() => node.log.mustFold(), item, this.#ports.inbox)
    node.poke()
  }

  async move(run: RunId, to: MoveTarget, options: MoveOptions = {}): Promise<void> {
    const node = await this.#node(run)
    // As long as it is watched it is not closed.
    const unwatch = node.watch(() => undefined)
    return this.#move(node, to, options).finally(() => {
      unwatch()
      void this.#letGo(node)
    })
  }

  async #move(node: RunNode, to: MoveTarget, options: MoveOptions): Promise<void> {
    const { run } = node
    const drainMs = options.drainMs ?? 2_000
    if (to === 'here') return node.moveHere({ drainMs, force: options.force ?? false })
    const { fold } = node.log
    const isOtherTabs = fold?.owner === this.#ports.me && !isEnded(fold) && !node.writing
    if (!isOtherTabs || this.#ports.edge === undefined) return node.moveToEdge({ drainMs })
    // Another tab writes the run, or this host is about to: whichever it turns out to be.
    const stop = new AbortController()
    const byThisHost = node.untilWriting(stop.signal).then(() => node.moveToEdge({ drainMs }))
    const byOtherTab = this.#moveByOtherTab(run, drainMs, stop)
    byOtherTab.catch(() => undefined)
    return Promise.race([byThisHost, byOtherTab]).finally(() => stop.abort())
  }

  async blockers(run: RunId, to: MoveTarget): Promise<readonly string[]> {
    const node = await this.#node(run)
    if (to === 'here') return node.blockersHere(node.log.mustFold())
    const { edge, encryption } = this.#ports
    if (edge === undefined) return ['this Waystone was opened without an edge']
    const fold = node.log.mustFold()
    if (isSealed(fold) && encryption?.lend === undefined) return [endToEnd]
    return [...sharedSealed(fold), ...(await edge.remote.blockers(run))]
  }

  async fork(source: RunId, options: ForkRequest): Promise<RunId> {
    const node = await this.#node(source)
    const run = parseRunId(options.id ?? newId(this.#ports.random))
    if (options.id !== undefined && (await this.#exists(run, 'here'))) return this.#opened(run)
    const fold = await node.log.foldAt(options.seq)
    const wanted = options.agent ?? fold.identity.agent
    const agent = this.#ports.agents.find(({ name }) => name === wanted)
    if (agent === undefined && options.agent !== undefined) throw agentMissing(options.agent)
    const now = node.log.mustFold()
    return this.#beginFork(node, run, now, forkEntry(fold, now, agent, this.#writer(), options))
  }

  async putBlob(run: RunId, hash: Digest, bytes: Uint8Array): Promise<void> {
    const found = digestBytes(bytes)
    if (found !== hash)
      throw new WaystoneError('request_refused', `expected a blob with SHA-256 ${hash}, found ${found}`, {
        run,
      })
    await this.#ports.blobs.put(run, hash, bytes)
  }

  async dropBlobs(run: RunId, hashes: readonly Digest[]): Promise<void> {
    if (!(await this.#exists(run, 'here'))) await this.#ports.blobs.remove(run, hashes)
  }

  async importRun(id: RunId, lines: readonly string[]): Promise<RunId> {
    this.#checkOpen()
    const { blobs, me, agents, encryption } = this.#ports
    const run = parseRunId(id)
    const from = parseExport(lines)
    // They were put for the new run.
    const fold = await foldImported(from, {
      blobs: { get: (_, hash) => blobs.get(run, hash) },
      cipher: encryption?.cipher,
    })
    if (isSession(fold)) throw sessionIsNoRun(from.run)
    const log = await this.#openLog(run)
    // Called again, it is the one that was made before.
    if (log.fold?.from?.digest === fold.head.digest) return this.#opened(run)
    if (log.fold) throw runExists(run)
    const agent = agents.find(({ name }) => name === fold.identity.agent)
    const body = forkEntry(fold, fold, agent, this.#writer())
    const named = artifactsIn(fold, body)
    const [missing] = await blobs.missing(run, named)
    if (missing !== undefined) throw blobMissing(run, missing)
    const drafts = importedEntries(fold, body, from.state, { by: me, blobs: named })
    await this.#begin(log, drafts)
    const kept = new Set(log.mustFold().blobs.flatMap((note) => note.hashes))
    await blobs.remove(
      run,
      blobsNamed(lines).filter((hash) => !kept.has(hash)),
    )
    return run
  }

  async setAside(run: RunId): ReturnType<RuntimeApi['setAside']> {
    return this.#ports.tails.list(run)
  }

  async keepAside(source: RunId, name: string, options: { readonly id?: string }): Promise<RunId> {
    const node = await this.#node(source)
    const run = parseRunId(options.id ?? newId(this.#ports.random))
    if (options.id !== undefined && (await this.#exists(run, 'here'))) return this.#opened(run)
    const tails = await this.#ports.tails.list(source)
    const tail = tails.find((one) => one.name === name)
    if (tail === undefined)
      throw new WaystoneError('input_refused', `nothing is set aside as "${name}" of run ${source}`, {
        run: source,
      })
    const { fold, others } = await foldAside(node.log, tail, tails)
    const agent = this.#ports.agents.find((one) => one.name === fold.identity.agent)
    const body = forkEntry(fold, fold, agent, this.#writer())
    return this.#beginFork(node, run, fold, { ...body, effects: [...body.effects, ...others] })
  }

  async dropAside(run: RunId, name: string): Promise<void> {
    await this.#ports.tails.drop(run, name)
  }

  async flush(): Promise<void> {
    await this.#each((node) => node.flush())
  }

  async freeze(): Promise<void> {
    await this.#each((node) => node.freeze())
  }

  async thaw(): Promise<void> {
    await this.#each((node) => node.thaw())
    this.#runsChanged()
    // Runs may have been started meanwhile, of which other tabs told nobody here.
    await this.#openUnfinished().catch(() => undefined)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unlisten()
    for (const node of await this.#open()) await node.close()
    this.#ports.channel.close()
    await this.#ports.store.close()
  }

  #isUnfinished(summary: RunSummary): boolean {
    return summary.owner === this.#ports.me && !isEnded(summary)
  }

  /** Opens the runs of this device that have not ended, or one of them: to take over should their tab end. */
  async #openUnfinished(only?: RunId): Promise<void> {
    const mine = (await this.runs()).filter((summary) => this.#isUnfinished(summary))
    for (const { run } of mine) if (only === undefined || run === only) await this.#node(run)
  }

  async #startChild(child: ChildStart): Promise<void> {
    const { run, parent, depth, agent, input, isRecorded, isOthers, at } = child
    if (isOthers && this.#ports.edge && !(await this.#exists(run, 'edge'))) throw notSynced(run)
    // One that another device may have started is not started anew because nobody can be asked.
    await this.#start(agent, input, { id: run, parent, depth }, isRecorded ? 'edge' : 'edge if it answers')
    // Its parent may have ended meanwhile, and have found no child.
    const started = await this.#nodes.get(run)
    const { fold } = (await this.#node(parent)).log
    if (started && fold && isEnded(fold)) await this.#cancelIfOver(started, fold)
    if (at === 'edge') void this.#sendToEdge(run).catch(() => undefined)
  }

  /** One that is not here, or cannot be opened, keeps nobody waiting, and no other one for ever. */
  async #begunAtEdge(run: RunId): Promise<void> {
    if (this.#closed || (await this.#ports.store.head(run)) === undefined) return
    const begun = this.#node(run).then((node) => node.begunAtEdge())
    await within(
      this.#ports.clock,
      begunMsMax,
      begun.catch(() => undefined),
    )
  }

  /**
   * Brings to the edge what hosts that are gone have left, one run after the other: the ends of runs, and messages to those that
   * have moved on. Each is opened, and closed when it is idle.
   */
  async #bringRest(runs: readonly RunSummary[]): Promise<void> {
    const coming = new Set<Promise<void>>()
    for (const summary of runs) {
      if (this.#closed) return
      if (!(await this.#hasRest(summary).catch(() => false))) continue
      const node = await this.#node(summary.run).catch(() => undefined)
      if (node === undefined || !isEnded(summary)) continue
      // One that alone cannot be brought keeps the others waiting for a while only; so many at once.
      const kept = node.untilKept().finally(() => coming.delete(kept))
      coming.add(kept)
      await within(this.#ports.clock, restMsMax, kept)
      if (coming.size >= comingMax) await Promise.race(coming)
    }
  }

  async #hasRest(summary: RunSummary): Promise<boolean> {
    const { store, inbox, me } = this.#ports
    const isOurs = summary.owner === me
    if (isEnded(summary)) return isOurs && !(await isNotedAtEdge(store, summary))
    return !isOurs && (await inbox.list(summary.run)).length > 0
  }

  /** Writes down that the edge has all of a run that has ended here. What cannot be stored now is looked at when this is opened again. */
  async #noteKept(node: RunNode): Promise<void> {
    const { edge, me } = this.#ports
    if (edge === undefined || !node.isKept || node.log.fold?.owner !== me) return
    await node.log.settle().catch(() => undefined)
  }

  /** A child that has ended meanwhile is fine. */
  async #cancelChild(run: RunId, reason: string, by?: { readonly id: string }): Promise<void> {
    try {
      await this.send(run, { type: 'cancel', reason }, by)
    } catch (error) {
      if (!isWaystoneError(error, 'run_ended')) throw error
    }
  }

  /** The children that a run which has ended has here. Of those elsewhere the edge takes care, once it knows of the end. */
  async #endChildren(parent: Fold): Promise<void> {
    for (const node of await this.#open()) await this.#cancelIfOver(node, parent)
  }

  /** `over` is a run that has ended: when it is the parent of one that is written here, that one is cancelled. */
  async #cancelIfOver(node: RunNode, over: Pick<RunSummary, 'run' | 'status'> | undefined): Promise<void> {
    const { fold } = node.log
    const isOurs = fold?.owner === this.#ports.me && !isEnded(fold)
    if (over === undefined || !isOurs || fold.parent !== over.run) return
    // What cannot be stored now is when this is opened again.
    const cancelling = this.#cancelChild(fold.run, parentOver(over), { id: familyIds.endOf(over.run) })
    await cancelling.catch(() => undefined)
  }

  /** What ended a child may be what was damaged: its parent, which has ended since, tells it no second time. */
  async #endIfOrphan(node: RunNode): Promise<void> {
    const parent = node.log.fold?.parent
    if (parent === undefined) return
    const over = (await this.runs()).find((summary) => summary.run === parent && isEnded(summary))
    await this.#cancelIfOver(node, over)
  }

  /** Moves a child to the edge, as soon as that takes it. One that the edge cannot run goes on here. */
  async #sendToEdge(run: RunId): Promise<void> {
    if (this.#ports.edge === undefined || this.#leaving.has(run)) return
    this.#leaving.add(run)
    const node = await this.#node(run)
    const isHere = (): boolean => {
      const { fold } = node.log
      return !node.closed && fold?.owner === this.#ports.me && !isEnded(fold)
    }
    for (let ms = leaveMsMin; isHere(); ms = Math.min(2 * ms, leaveMsMax)) {
      const blockers = await this.move(run, 'edge').then(
        () => [],
        () => this.blockers(run, 'edge').catch(() => []),
      )
      if (blockers.length > 0) break
      if (isHere()) await this.#ports.clock.wait(ms, node.closing)
    }
    this.#leaving.delete(run)
  }

  async #opened(run: RunId): Promise<RunId> {
    await this.#node(run)
    return run
  }

  async #exists(run: RunId, look: Look): Promise<boolean> {
    if ((await this.#ports.store.head(run)) !== undefined) return true
    const { edge, me } = this.#ports
    if (edge === undefined || look === 'here') return false
    try {
      return (await edge.remote.pull(run, undefined, me)).head !== undefined
    } catch (error) {
      if (look === 'edge') throw error
      // Without a network the run begins here; should the edge have one of this id, syncing says so.
      return false
    }
  }

  /** `known` is the fold that knows which blobs are artifacts. */
  async #beginFork(source: RunNode, run: RunId, known: Fold, body: Bodies['fork']): Promise<RunId> {
    const blobs = await this.#shareArtifacts(source, run, artifactsIn(known, body))
    return this.#begin(await this.#openLog(run), [{ kind: 'fork', body, blobs }])
  }

  /** Writes the first entries of a log. When another host was first, the run is its, and this one follows. */
  async #begin(log: RunLog, first: readonly EntryDraft[]): Promise<RunId> {
    let fresh = false
    try {
      await log.append(this.#ports.me, (fold) => {
        fresh = fold === undefined
        return fresh ? first : []
      })
    } catch (error) {
      if (!isWaystoneError(error, 'head_moved')) throw error
      fresh = false
    }
    const node = await this.#node(log.run, { fresh })
    // Somebody here may have watched it before there was one.
    if (node.log.fold === undefined) await node.log.catchUp()
    this.#told(log.run)
    return log.run
  }

  #writer(): Writer {
    const { place, random, software } = this.#ports
    return { place, written: writtenBy(random, software) }
  }

  #openLog(run: RunId): Promise<RunLog> {
    const { clock, edge, encryption } = this.#ports
    return RunLog.open(run, logPorts(this.#ports, clock, edge, encryption))
  }

  #node(run: RunId, options: { readonly fresh?: boolean } = {}): Promise<RunNode> {
    this.#checkOpen()
    const known = this.#nodes.get(run)
    if (known) return known
    const opening = RunNode.open(run, this.#ports, options).then((node) => {
      node.log.listen(({ entries }) => {
        // The edge knew it, and nobody here: its writer is whoever opens the session.
        if (isSession(node.log.fold)) return void this.#drop(node)
        if (entries.some(({ kind }) => listed.has(kind))) this.#runsChanged()
        if (!isEnded(node.log.mustFold())) return
        void this.#pokeAll()
        void this.#endChildren(node.log.mustFold())
      })
      node.watch((event) => {
        if (event.type === 'live') this.#runsChanged()
        void this.#letGo(node)
      })
      node.begin()
      if (node.log.damage) void this.#endIfOrphan(node).catch(() => undefined)
      return node
    })
    this.#nodes.set(run, opening)
    opening.catch(() => this.#nodes.delete(run))
    return opening
  }

  /**
   * Closes a run that is over, or goes on elsewhere, after a while in which nobody has watched it: a page may stay open for weeks.
   * Whoever asks for it then opens it anew; who has asked before still reads it.
   */
  async #letGo(node: RunNode): Promise<void> {
    void this.#noteKept(node)
    // Who watches the list sees how those elsewhere go on.
    const isUnseen = (): boolean =>
      node.isElsewhere && this.#runListeners.size === 0 && !this.#joined.has(node.run)
    const isIdle = (): boolean => (node.isDone || isUnseen()) && node.watchers <= ownWatchers
    if (!isIdle() || this.#idle.has(node)) return
    this.#idle.add(node)
    await this.#ports.clock.wait(limits.idleMsMax, node.closing)
    this.#idle.delete(node)
    if (!node.closed && isIdle()) await this.#drop(node)
  }

  async #drop(node: RunNode): Promise<void> {
    this.#nodes.delete(node.run)
    await node.close()
  }

  async #withLive(summary: RunSummary): Promise<RunSummary> {
    const node = await this.#nodes.get(summary.run)?.catch(() => undefined)
    const phase = node?.live.phase
    return summary.status === 'running' && (phase === 'waiting' || phase === 'moving')
      ? { ...summary, status: phase }
      : summary
  }

  /** Gives a fork the artifacts that it has by name, in its state or in its records. Their hashes. */
  async #shareArtifacts(node: RunNode, fork: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]> {
    for (const hash of await node.blobs.missing(node.run, hashes)) {
      if ((await node.blobs.get(node.run, hash)) === undefined) throw blobMissing(node.run, hash)
    }
    const [missing] = await node.blobs.share(node.run, fork, hashes)
    if (missing !== undefined) throw blobMissing(node.run, missing)
    return hashes
  }

  async #onTab(message: TabMessage): Promise<void> {
    if (this.#closed) return
    if (message.type === 'moved') return this.#moves.get(message.id)?.(message.error)
    if (message.type === 'run') {
      this.#runsChanged()
      return this.#openUnfinished(message.run)
    }
    const node = await this.#nodes.get(message.run)?.catch(() => undefined)
    if (node === undefined) return
    if (message.type === 'move') return this.#moveForOtherTab(node, message)
    node.onTab(message)
  }

  /** The writer of the run is another tab's host: it has to move it. `answered` fires when it has. */
  #moveByOtherTab(run: RunId, drainMs: number, answered: AbortController): Promise<void> {
    const id = newId(this.#ports.random)
    return new Promise<void>((resolve, reject) => {
      this.#moves.set(id, (error) => {
        answered.abort()
        if (error === undefined) resolve()
        else reject(fromWire(error))
      })
      this.#ports.channel.post({ type: 'move', run, id, drainMs } satisfies TabMessage)
      void this.#ports.clock.wait(tabAnswerMs, answered.signal).then(() => reject(noAnswer(run)))
    }).finally(() => this.#moves.delete(id))
  }

  async #moveForOtherTab(
    node: RunNode,
    { run, id, drainMs }: Extract<TabMessage, { type: 'move' }>,
  ): Promise<void> {
    if (!node.writing) return
    const error = await node.moveToEdge({ drainMs }).then(
      () => undefined,
      (reason: unknown) => toWire(reason),
    )
    this.#ports.channel.post({
      type: 'moved',
      run,
      id,
      ...(error === undefined ? {} : { error }),
    } satisfies TabMessage)
  }

  /** A run has ended: its parent may wait for that. */
  async #pokeAll(): Promise<void> {
    for (const node of await this.#open()) node.host?.poke()
  }

  #told(run: RunId): void {
    this.#ports.channel.post({ type: 'run', run } satisfies TabMessage)
    this.#runsChanged()
  }

  #runsChanged(): void {
    for (const listener of this.#runListeners) callListener(listener)
  }

  #watcher(stop: () => void): number {
    this.#watcherCount += 1
    this.#watchers.set(this.#watcherCount, stop)
    return this.#watcherCount
  }

  /** Each as soon as it is open: none waits for another, since a page that is told to freeze has no time. */
  async #each(work: (node: RunNode) => void | Promise<void>): Promise<void> {
    await Promise.allSettled([...this.#nodes.values()].map(async (node) => work(await node)))
  }

  async #open(): Promise<readonly RunNode[]> {
    const nodes = await Promise.allSettled(this.#nodes.values())
    return nodes.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []))
  }

  #checkOpen(): void {
    if (this.#closed) throw new WaystoneError('closed', 'this Waystone was closed')
  }
}

/** Kinds of entries that change what a list of runs shows. */
const listed = new Set([
  'start',
  'fork',
  'claim',
  'commit',
  'pause',
  'retry',
  'decide',
  'cancel',
  'unwind',
  'rewind',
])

function checkPolicy(whenGone: unknown, leaseMs: unknown): void {
  if (whenGone !== 'offer' && whenGone !== 'edge') throw notAsked('whenGone', '"offer" or "edge"', whenGone)
  if (!Number.isSafeInteger(leaseMs) || (leaseMs as number) < 0 || (leaseMs as number) > leaseMsMax)
    throw notAsked('leaseMs', `a whole number from 0 to ${String(leaseMsMax)}`, leaseMs)
}

function notAsked(option: string, expected: string, found: unknown): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `the \`${option}\` of a run: expected ${expected}, found ${String(found)}`,
  )
}

function checkNames(agents: readonly AnyAgent[]): void {
  const names = agents.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new WaystoneError('input_refused', `two agents are named "${twice}": names are unique`)
}

function agentMissing(name: string): WaystoneError {
  return new WaystoneError('agent_unknown', `agent "${name}" is not registered here: pass it in \`agents\``)
}

function notByItself(run: RunId): WaystoneError {
  return new WaystoneError(
    'input_refused',
    `run ${run} is to be encrypted: the edge cannot take it over by itself, as \`whenGone: 'edge'\` asks for. Move it there instead, which lends the edge its keys`,
    { run },
  )
}

function notSynced(run: RunId): WaystoneError {
  return new WaystoneError(
    'unreachable',
    `child ${run} was started on another device, which has not synced it yet: open that, or cancel the parent`,
    { run, actions: ['retry', 'cancel'] },
  )
}

function runExists(run: RunId): WaystoneError {
  return new WaystoneError('run_exists', `there is a run ${run} already: import it under another id`, { run })
}

function noAnswer(run: RunId): WaystoneError {
  return new WaystoneError(
    'move_refused',
    `run ${run} is written by another tab, which does not answer: close it, or try again`,
    { run, actions: ['retry'] },
  )
}

function blobMissing(run: RunId, hash: Digest): WaystoneError {
  return new WaystoneError(
    'blob_missing',
    `run ${run} cannot be forked here: its artifact ${hash} is neither on this device nor in reach`,
    { run, actions: ['retry'] },
  )
}
