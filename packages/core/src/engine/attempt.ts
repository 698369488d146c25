import { fromWire, isStorageError, isWaystoneError, WaystoneError } from '../errors.ts'
import type { Digest } from '../ids.ts'
import type { Json } from '../json.ts'
import { limits } from '../limits.ts'
import type { EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { InboxItem } from '../ports/inbox.ts'
import type { Live, Wait } from '../ports/watch.ts'
import { decodeValue, type Value } from '../state/codec.ts'
import { createDraft } from '../state/draft.ts'
import type { AnyAgent, TurnEnd } from './agent.ts'
import {
  badEnd,
  describe,
  keyTaken,
  lostRace,
  outcomeOf,
  tooManyCalls,
  type AttemptEnd,
} from './attempt-end.ts'
import type { AttemptPorts, OpenTurn } from './attempt-ports.ts'
import { Branch } from './branch.ts'
import { abortAll, CallTable } from './call-table.ts'
import { familyOf, inputOf, isCounted, isStart, pathOf, type Call } from './call.ts'
import type { OnceOptions } from './ctx.ts'
import { Deliveries } from './deliveries.ts'
import { Events } from './events.ts'
import { within } from './in-time.ts'
import { Meter } from './meter.ts'
import { makeCtx } from './scope.ts'

/** How deep an error is looked for in those that wrap it. */
const errorDepthMax = 8

/** What a log cannot take, of a host that may write it. */
const refusedByLog = ['limit_exceeded', 'too_large', 'entry_refused'] as const

/** The number of the replay rules, recorded in every turn. */
export const replayRules = 1

/** What the turn's function did, and the call that was open then. */
interface Returned {
  readonly value?: TurnEnd
  readonly error?: unknown
  readonly open: string | undefined
}

/**
 * One attempt at one turn: runs the turn's code, answers its calls from the records of the log, and once it has caught
 * up starts what is new. The rules it follows are numbered in ARCHITECTURE.md.
 */
export class Attempt {
  /** What its bodies use. */
  readonly meter: Meter
  readonly #calls = new CallTable()
  readonly #deliveries: Deliveries
  readonly #giveUp = new AbortController()
  readonly #origins = new WeakMap<object, Digest>()
  readonly #draft: ReturnType<typeof createDraft<Value>>
  readonly #branch: Branch
  readonly #end: Promise<AttemptEnd>
  #resolveEnd: (end: AttemptEnd) => void = () => undefined
  readonly #taken = new Set<string>()
  readonly #events: Events
  /** The paths of counted calls that have begun and are not recorded. */
  readonly #begun = new Set<string>()
  /** Calls that the budget does not allow. */
  readonly #withheld = new Set<Call>()
  #agent: AnyAgent
  #turn: OpenTurn
  #ports: AttemptPorts
  /** Of one that does not go live by itself: hears that it could. */
  #caughtUp: ((open: readonly Call[]) => void) | undefined
  #scopes = 0
  #over = false
  #live = false
  #holding = false
  /** All was delivered, and the turn has had its time to act on it. */
  #resting = false
  #interrupted = false
  /** A call of the turn was rejected for it: what the turn makes of that counts. */
  #toldInterrupt = false
  /** An interrupt is being recorded: what the turn makes of its aborted steps waits for it. */
  #interrupting = false
  #recorded: boolean
  #time: number
  #returned: Returned | undefined
  #standing: Live['standing']
  /** In development: of what kind of object of the state has changed since calls are open. */
  #leafChanged: (() => string | undefined) | undefined
  #unknown: Extract<AttemptEnd, { type: 'unknown' }> | undefined

  constructor(
    agent: AnyAgent,
    turn: OpenTurn,
    ports: AttemptPorts,
    options: { readonly caughtUp?: (open: readonly Call[]) => void } = {},
  ) {
    this.#agent = agent
    this.#turn = turn
    this.#ports = ports
    this.#caughtUp = options.caughtUp
    this.#events = new Events(ports.clock)
    this.meter = new Meter(() => ports.clock.now())
    this.#deliveries = new Deliveries(turn.records)
    this.#recorded = turn.records.length > 0
    this.#time = turn.began
    this.#end = new Promise((resolve) => (this.#resolveEnd = resolve))
    this.#branch = Branch.ofTurn(String(turn.turn), this.signal)
    this.#draft = createDraft(turn.state, { guard: () => this.#guard() })
  }

  get agent(): AnyAgent {
    return this.#agent
  }

  get turn(): OpenTurn {
    return this.#turn
  }

  get ports(): AttemptPorts {
    return this.#ports
  }

  /** Resolves when the attempt is over. It may wait for as long as the turn does. */
  get end(): Promise<AttemptEnd> {
    return this.#end
  }

  /** Runs the attempt to its end. With `caughtUp` it stands where it has caught up, until `goOn`. */
  run(): Promise<AttemptEnd> {
    const ctx = makeCtx(this, this.#branch)
    void Promise.resolve()
      .then(() => this.agent.turn(ctx as never, this.#draft.draft as never))
      .then(
        (value) => this.#returns({ value, open: this.#calls.firstOpen }),
        (error: unknown) => this.#returns({ error, open: undefined }),
      )
    void this.#pump().catch((error: unknown) => this.finish({ type: 'lost', error }))
    return this.#end
  }

  /** Goes on in earnest, at the place and by the agent that is at hand there; `turn` is the same one, with what was recorded since. */
  goOn(agent: AnyAgent, turn: OpenTurn, ports: AttemptPorts): void {
    const { records } = this.#turn
    this.#agent = agent
    this.#turn = turn
    this.#ports = ports
    this.#caughtUp = undefined
    this.#recorded ||= turn.records.length > 0
    for (const record of turn.records.slice(records.length)) this.#deliveries.add(record)
    this.#events.happen()
  }

  /** Fires when the attempt is over. */
  get signal(): AbortSignal {
    return this.#giveUp.signal
  }

  get over(): boolean {
    return this.#over
  }

  /** The time of the last delivered record, in ms since 1970. */
  get time(): number {
    return this.#time
  }

  /** A plain copy of a draft. */
  current<T>(value: T): T {
    return this.#draft.current(value)
  }

  /** The turn is at work, and calls nothing. */
  progress(): void {
    this.#events.happen()
  }

  /** Gives the attempt up: nothing it does counts any more, and its calls never settle. */
  giveUp(): void {
    this.finish({ type: 'given up' })
  }

  /** Ends the attempt, once. */
  finish(end: AttemptEnd): void {
    if (this.#over) return
    this.#over = true
    this.#resolveEnd(end)
    this.#giveUp.abort(
      new WaystoneError('cancelled', `this attempt at turn ${String(this.turn.turn)} is over`, {
        run: this.turn.run,
      }),
    )
    this.#events.end()
    this.ports.changed()
  }

  /** Takes entries that are durable now, in log order. */
  take(entries: readonly Entry[]): void {
    if (this.#over) return
    let isNews = false
    for (const entry of entries) {
      if (familyOf(entry as unknown as TurnRecord) === undefined && entry.kind !== 'interrupt') continue
      this.#recorded = true
      isNews = true
      // A `once` whose start is recorded has begun.
      if ('path' in entry.body && entry.kind !== 'once.start') this.#begun.delete(entry.body.path)
      this.#deliveries.add({
        kind: entry.kind,
        body: entry.body,
        time: entry.time,
        digest: entry.digest,
        owner: entry.owner,
        inert: false,
      } as TurnRecord)
    }
    // What is no record of the turn moves nothing on.
    if (isNews) this.#events.happen()
  }

  /** Something outside changed (the inbox, the time, what this place provides): parked calls look again. */
  poke(): void {
    if (!this.#mayPoke) return
    for (const call of this.#calls.open) {
      const { poke } = call
      if (call.phase !== 'parked' || poke === undefined || isOut(call) || !this.#allows(call)) continue
      call.poke = undefined
      void this.#guarded(poke)
    }
  }

  /** Nothing new starts from now on. Resolves when no body runs, or when `ms` are over and no `once` runs. */
  async hold(ms: number): Promise<void> {
    this.#holding = true
    await this.#untilStill(ms, () => this.#calls.running)
  }

  /** Tells the bodies that run to stop, all but those of `once`, and waits for them, for a bounded time. */
  async stopBodies(): Promise<void> {
    this.#holding = true
    abortAll(this.#calls.running)
    await this.hold(limits.abortMsMax)
  }

  /** Goes on after `hold`. */
  release(): void {
    this.#holding = false
    if (this.#live) this.#beginAll()
    this.poke()
  }

  /** Stops the bodies that run, records what they gave, and then the interrupt, which the turn is told of. */
  async interrupt(item: InboxItem): Promise<void> {
    this.#interrupting = true
    await this.stopBodies()
    await this.#guarded(() => this.record([{ kind: 'interrupt', body: { id: item.id, by: item.by } }]))
    this.#interrupting = false
    this.#events.happen()
  }

  /** What the host tells people about this attempt. */
  live(): Live {
    const calls = this.#calls.told
    const phase = !this.#live
      ? 'catching up'
      : calls.length > 0 && calls.every(({ waits }) => waits)
        ? 'waiting'
        : 'running'
    const { size } = this.#calls
    return {
      phase,
      calls,
      ...(this.#standing ? { standing: this.#standing } : {}),
      ...(size >= limits.turnRecordsLong ? { long: { calls: size, max: limits.turnRecordsMax } } : {}),
    }
  }

  /** The earliest time that a call waits for, in ms since 1970. */
  get due(): number | undefined {
    return this.#calls.due()
  }

  /** The earliest of those times at which `poke` will do something, as things are: what changes that is told as a change. */
  get duePoke(): number | undefined {
    if (!this.#mayPoke) return undefined
    return this.#calls.due((call) => call.poke !== undefined && !isOut(call) && !this.#withheld.has(call))
  }

  /** How often steps were tried that wait for another try, by their paths. */
  get tries(): Readonly<Record<string, number>> {
    const waiting = this.#calls.open.filter(
      ({ family, phase, attempt }) => family === 'step' && phase === 'parked' && attempt > 0,
    )
    return Object.fromEntries(waiting.map(({ path, attempt }) => [path, attempt]))
  }

  /** What the turn waits for, when it does nothing else; undefined while something runs or is delivered. */
  waits(): readonly Wait[] | undefined {
    const isBusy = this.#over || this.#interrupting || this.#deliveries.next || this.#returned
    // What a person has to decide ends the attempt once nothing else runs: nobody waits here for that.
    if (!this.#resting || isBusy || this.#unknown) return undefined
    const { active, open, losing } = this.#calls
    // A race that has nobody to wait for any more is about to be recorded.
    if (losing.length === 0 && open.some(({ family, phase }) => family === 'race' && phase === 'running'))
      return undefined
    if (active.length === 0 || active.some(({ phase }) => phase !== 'parked')) return undefined
    return active.map(({ wait }) => wait as Wait)
  }

  /** Ends what the losers of a race have under way: steps are told to stop, for a bounded time; a `once` is waited for. */
  async stopLosers(): Promise<void> {
    abortAll(this.#calls.losing)
    await this.#untilStill(limits.abortMsMax, () => this.#calls.losing)
  }

  /** The race is decided and recorded: the calls of its losers, and those they make from now on, reject. */
  cancelBranch(branch: Branch): void {
    branch.cancel(lostRace(branch.path))
    for (const call of this.#calls.open) {
      if (!call.branch.cancelled) continue
      this.#calls.settle(call)
      call.reject(lostRace(call.path))
    }
    this.#events.happen()
  }

  /** Resolves when branches have ended, or have had the time that bodies have to stop. */
  async ended(branches: readonly Promise<unknown>[]): Promise<void> {
    await within(this.ports.clock, limits.abortMsMax, Promise.allSettled(branches))
  }

  /** True once the call of this path was made and has its outcome. */
  isSettled(path: string): boolean {
    return this.#calls.get(path)?.phase === 'settled'
  }

  /** A call stops doing anything, since its branch has lost a race. */
  rest(call: Call): void {
    if (call.phase !== 'settled') call.phase = 'made'
    this.#begun.delete(call.path)
    this.meter.leave(call.cost)
    call.cost = 0
    this.#events.happen()
  }

  /** Makes a call of a turn. Rejects with `key_taken` for a path that was used, `divergence` for one recorded otherwise. */
  call(
    spec: Pick<Call, 'path' | 'family' | 'kind' | 'input' | 'branch' | 'options' | 'begin'>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#over) return
      this.#events.act()
      if (this.#interrupted) return reject(this.#interruptedError(spec.path))
      if (spec.branch.cancelled) return reject(lostRace(spec.path))
      if (this.#calls.get(spec.path)) return reject(keyTaken(spec.path))
      if (this.#calls.size >= limits.turnRecordsMax) return reject(tooManyCalls(this.turn.turn))
      const call: Call = {
        ...spec,
        resolve,
        reject,
        phase: 'made',
        since: this.ports.clock.now(),
        attempt: 0,
        wait: undefined,
        poke: undefined,
        start: undefined,
        starts: 0,
        abort: undefined,
        cost: 0,
      }
      this.#watchLeaves()
      this.#calls.add(call)
      const comes = this.#deliveries.called(spec.path)
      if (this.#live && !comes) this.#begin(call)
    })
  }

  /** The options of a `once` that the turn has called. */
  onceOptions(path: string): OnceOptions<unknown> | undefined {
    return this.#calls.get(path)?.options
  }

  /** Counts a scope whose branches are open. */
  scope(change: 1 | -1): void {
    if (change === 1) this.#watchLeaves()
    this.#scopes += change
    if (change === -1) this.#checkLeaves(undefined)
    this.#events.act()
  }

  /** A branch that returns with a call of its own open ends the attempt; its result never arrives. */
  async endBranch({ path, doomed }: Branch): Promise<void> {
    for (const call of doomed ? [] : this.#calls.open) {
      if (!call.path.startsWith(`${path}/`)) continue
      this.finish({ type: 'open', path: call.path })
      await new Promise<never>(() => undefined)
    }
  }

  /** Stores records of this turn. A turn's first records come with the `turn` entry. */
  async record(
    drafts: readonly EntryDraft[],
    options: { readonly strict?: boolean } = {},
  ): Promise<readonly Entry[]> {
    // Whoever gave this attempt up may be claiming the head as it is.
    if (this.#over) return await new Promise<never>(() => undefined)
    const { turn, config } = this.turn
    const opens: readonly EntryDraft[] = this.#recorded
      ? []
      : [{ kind: 'turn', body: { turn, rules: replayRules, version: this.agent.version, config } }]
    this.#recorded = true
    try {
      return await this.ports.append([...opens, ...drafts], options)
    } catch (error) {
      if (refusedByLog.some((code) => isWaystoneError(error, code))) throw error
      this.finish({ type: 'lost', error })
      return await new Promise<never>(() => undefined)
    }
  }

  /**
   * Stores bytes that a record of this turn is going to name. A storage that fails ends the attempt, as in `record`: it says nothing about
   * the step. Rejects then, too, so that whoever gives the bytes is told to stop.
   */
  async putBlob(bytes: Uint8Array): Promise<Digest> {
    try {
      return await this.ports.putBlob(bytes)
    } catch (error) {
      if (isStorageError(error)) this.finish({ type: 'lost', error })
      throw error
    }
  }

  /** The next message of a name that no call has taken; the caller records it. */
  takeMessage(name: string): Extract<InboxItem, { type: 'message' }> | undefined {
    if (!this.ports.knowsInbox()) return undefined
    const item = this.ports
      .inbox()
      .find((one) => one.type === 'message' && one.name === name && !this.#taken.has(one.id))
    if (item?.type !== 'message') return undefined
    this.#taken.add(item.id)
    return item
  }

  /** A message that its call did not record in the end: another call may take it. */
  giveBack(id: string): void {
    this.#taken.delete(id)
  }

  /** Parks a call until `poke` finds that it can go on. */
  park(call: Call, wait: Wait, poke: () => Promise<void>): void {
    if (this.#over || call.phase === 'settled') return
    call.phase = 'parked'
    call.wait = wait
    call.poke = poke
    this.#events.happen()
    this.ports.changed()
  }

  /** Parks a call until a person has decided; when nothing else runs, the attempt ends and the run pauses. */
  parkUndecided(
    call: Call,
    unknown: Pick<Extract<AttemptEnd, { type: 'unknown' }>, 'start' | 'key' | 'otherKey' | 'unkept'>,
  ): void {
    this.#unknown = { type: 'unknown', path: call.path, ...unknown }
    // It was started before, and starts nothing: others have its place in the budget.
    this.#begun.delete(call.path)
    this.park(call, { for: 'answer', ask: unknown.start }, () => new Promise(() => undefined))
  }

  /** Marks a call as running. */
  running(call: Call): void {
    if (call.phase === 'settled') return
    call.phase = 'running'
    call.wait = undefined
    this.ports.changed()
  }

  /** True while nothing may be started. */
  get holding(): boolean {
    return this.#holding
  }

  get #mayPoke(): boolean {
    return this.#live && !this.#over && !this.#holding
  }

  async #pump(): Promise<void> {
    // The turn makes its first calls, as it did live before anything was delivered.
    if (this.#deliveries.next) await this.#quiet()
    while (!this.#over) {
      const record = this.#deliveries.next
      if (record === undefined) {
        if (this.#returned && !this.#interrupting) return this.#finishTurn(this.#returned)
        if (!this.#live) {
          await this.#quiet()
          if (this.#deliveries.next === undefined && !this.#returned) await this.#catchesUp()
          continue
        }
        await this.#idle()
      } else if (record.kind === 'interrupt') {
        this.#deliveries.advance()
        this.#deliverInterrupt(record)
        await this.#quiet()
      } else if (familyOf(record) === undefined) {
        this.#deliveries.advance()
      } else {
        await this.#next(record)
      }
    }
  }

  /** Rules 2 and 3: one record at a time, in log order, each when its call has been made. */
  async #next(record: TurnRecord): Promise<void> {
    const path = pathOf(record)
    const call = this.#calls.get(path)
    if (call === undefined) {
      if (this.#deliveries.isOptional(record)) {
        await this.#quiet()
        if (this.#deliveries.next === record && this.#calls.get(path) === undefined)
          this.#deliveries.passOver(record)
      } else if (this.#returned) {
        this.diverge(
          path,
          describe(record),
          this.#returned.error === undefined
            ? 'the turn returned'
            : `the turn threw ${String(this.#returned.error)}`,
        )
      } else {
        await this.#stand(describe(record), { path })
      }
      return
    }
    if (call.family !== familyOf(record))
      return this.diverge(path, describe(record), `${call.kind} "${path}"`)
    const input = inputOf(record)
    if (input !== undefined && call.input !== undefined && input !== call.input) {
      return this.diverge(
        path,
        `${describe(record)} with input ${input.slice(0, 12)}`,
        `the same with input ${call.input.slice(0, 12)}`,
      )
    }
    this.#deliveries.advance()
    if (isStart(record)) {
      call.start = record
      call.starts += 1
      if (this.#live && call.phase === 'made' && !this.#deliveries.hasMore(path)) this.#begin(call)
      return
    }
    this.#deliver(call, record)
    await this.#quiet()
  }

  #deliver(call: Call, record: TurnRecord): void {
    if (!this.#calls.settle(call) || this.#checkLeaves(call.path)) return
    this.#time = Math.max(this.#time, record.time)
    this.#events.happen()
    this.ports.changed()
    const outcome = outcomeOf(record)
    if ('value' in outcome) return this.#give(call, outcome.value)
    const error = fromWire(outcome.error, 'step_failed')
    this.#origins.set(error, record.digest)
    call.reject(error)
  }

  #give(call: Call, recorded: Json): void {
    let value: Value
    try {
      value = decodeValue(recorded)
    } catch (error) {
      // As the `decode` of a class that was registered: the code here cannot go on with what is recorded.
      return this.finish({ type: 'threw', error, drop: undefined })
    }
    call.resolve(value)
  }

  #deliverInterrupt(record: TurnRecord): void {
    this.#interrupted = true
    this.#time = Math.max(this.#time, record.time)
    for (const call of this.#calls.open) {
      this.#calls.settle(call)
      call.reject(this.#interruptedError(call.path))
    }
    this.#leafChanged = undefined
    this.#branch.stop(interruption(this.turn))
    this.#events.happen()
  }

  async #catchesUp(): Promise<void> {
    if (this.#caughtUp === undefined) return this.#goLive()
    this.#caughtUp(this.#calls.open.filter((call) => !isOut(call)))
    await this.#events.next()
  }

  #goLive(): void {
    this.#live = true
    this.#standing = undefined
    this.#beginAll()
    this.ports.changed()
  }

  #beginAll(): void {
    for (const call of this.#calls.open) if (call.phase === 'made') this.#begin(call)
  }

  #begin(call: Call): void {
    if (this.#holding || this.#over || isOut(call) || !this.#allows(call)) return
    call.since = this.ports.clock.now()
    this.running(call)
    void this.#guarded(() => call.begin(call))
  }

  /** False when the budget does not allow a call to start. One that has started is always brought to its end. */
  #allows(call: Call): boolean {
    if (!isCounted(call) || call.start !== undefined) return true
    // One that was parked is not begun twice.
    this.#begun.delete(call.path)
    this.#withheld.delete(call)
    if (this.ports.overBudget?.(this.#begun.size)) {
      this.#withheld.add(call)
      this.#events.happen()
      return false
    }
    this.#begun.add(call.path)
    return true
  }

  /** Nothing runs, and calls are withheld: ends the attempt, unless one that was given up has left room for them. */
  #settleWithheld(): void {
    const withheld = [...this.#withheld].filter(
      (call) => call.phase !== 'settled' && call.start === undefined && !isOut(call),
    )
    this.#withheld.clear()
    if (withheld.length === 0 || this.#holding) return
    const error = this.ports.overBudget?.(this.#begun.size)
    if (error) return this.finish({ type: 'spent', error })
    this.#beginAll()
    this.poke()
  }

  /** Runs work of the engine itself; what it throws is a defect or a lost store, never the agent's. */
  async #guarded(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.finish({ type: 'lost', error })
    }
    this.#events.happen()
  }

  #returns(returned: Returned): void {
    this.#returned = returned
    this.#events.act()
  }

  #finishTurn(returned: Returned): void {
    if ('error' in returned) return this.#finishThrown(returned.error)
    if (returned.open !== undefined) return this.finish({ type: 'open', path: returned.open })
    const end = returned.value
    // An interrupt that came when the turn had nothing more to call: it commits, and the run still pauses.
    if (this.#interrupted && !this.#toldInterrupt && end?.type === 'next')
      return this.#finishWith((state) => ({ type: 'interrupted', state }))
    if (end === undefined || !['next', 'done', 'fail'].includes(end.type)) {
      return this.finish({ type: 'threw', error: badEnd(this.agent.name, end), drop: undefined })
    }
    this.#finishWith((state) => ({ type: 'returned', end, state }))
  }

  /** Ends with the state as it is, unless that holds what cannot be kept. */
  #finishWith(end: (state: Value) => AttemptEnd): void {
    try {
      this.finish(end(this.#draft.finish()))
    } catch (error) {
      this.finish({ type: 'threw', error, drop: undefined })
    }
  }

  #finishThrown(error: unknown): void {
    if (this.#interrupted) return this.#finishWith((state) => ({ type: 'interrupted', state }))
    const drop = this.#originOf(error, errorDepthMax)
    this.finish({ type: 'threw', error, drop })
  }

  /** The failed record that an error came from, also when somebody has wrapped it. */
  #originOf(error: unknown, depth: number): Digest | undefined {
    if (typeof error !== 'object' || error === null || depth === 0) return undefined
    const origin = this.#origins.get(error)
    if (origin) return origin
    const inner =
      error instanceof AggregateError ? (error.errors as readonly unknown[]) : [Reflect.get(error, 'cause')]
    for (const one of inner) {
      const found = this.#originOf(one, depth - 1)
      if (found) return found
    }
    return undefined
  }

  /** Waits until none of these calls is left; once `ms` are over, only for those of `once`. */
  async #untilStill(ms: number, calls: () => readonly Call[]): Promise<void> {
    const until = this.ports.clock.now() + ms
    for (;;) {
      const left = until - this.ports.clock.now()
      const still = calls().filter(({ family }) => left > 0 || family === 'once')
      if (this.#over || still.length === 0) return
      await this.#events.next(Math.max(left, 50))
    }
  }

  /** The code asks for something else than what was recorded. */
  diverge(path: string, expected: string, found: string): void {
    this.finish({ type: 'diverged', path, expected, found })
  }

  #guard(): void {
    if (!this.#calls.isOpen && this.#scopes === 0) return
    const path = this.#calls.firstOpen
    throw stateLocked(this.turn, `the state was written while ${path ?? 'a scope'} is open`, path)
  }

  /** Before the first call is open: no guard sees writes to what the state holds of Map, Date, bytes and the like. */
  #watchLeaves(): void {
    if (this.ports.development) this.#leafChanged ??= this.#draft.watchLeaves()
  }

  /** Before the turn hears that the last open call has settled. True when it wrote meanwhile, which ends the attempt. */
  #checkLeaves(path: string | undefined): boolean {
    if (this.#leafChanged === undefined || this.#calls.isOpen || this.#scopes > 0) return false
    const kind = this.#leafChanged()
    this.#leafChanged = undefined
    if (kind === undefined) return false
    const what = `something of the kind ${kind} in the state was written while ${path ?? 'a scope'} was open`
    this.finish({ type: 'threw', error: stateLocked(this.turn, what, path), drop: undefined })
    return true
  }

  #interruptedError(path: string): WaystoneError {
    this.#toldInterrupt = true
    return interruption(this.turn, path)
  }

  /** Rule 2: the next delivery comes after three tasks in a row in which nothing happened on ctx. */
  #quiet(): Promise<void> {
    return this.#events.quiet(3, () => this.#returned !== undefined)
  }

  /** Live with nothing to deliver: waits for an event, and notices a turn that can never go on. */
  async #idle(): Promise<void> {
    const open = this.#calls.open
    if (open.length > 0 || this.#interrupting) {
      if (this.#unknown && this.#calls.active.every(({ phase }) => phase === 'parked'))
        return this.finish(this.#unknown)
      if (this.#calls.running.length === 0) this.#settleWithheld()
      if (this.#over) return
      this.#resting = true
      this.ports.changed()
      await this.#events.next()
      this.#resting = false
      return
    }
    await this.#stand('a call on ctx, or the end of the turn')
  }

  /** Rule 3: a presumed divergence is shown after `patience`, cleared by the next event, final after a minute. */
  async #stand(expected: string, record?: { readonly path: string }): Promise<void> {
    if (await this.#events.next(limits.patienceMs)) return
    const open = this.#calls.firstOpen
    const found =
      open === undefined
        ? 'no call: the turn waits for something outside ctx'
        : `"${open}", which is still open`
    this.#standing = { expected, found, ...record }
    this.ports.changed()
    const moved = await this.#events.next(limits.standingMsMax - limits.patienceMs)
    this.#standing = undefined
    this.ports.changed()
    if (moved) return
    if (record) this.diverge(record.path, expected, found)
    else this.finish({ type: 'outside' })
  }
}

function stateLocked({ run }: OpenTurn, what: string, path: string | undefined): WaystoneError {
  return new WaystoneError(
    'state_locked',
    `${what}. Await it first: a write beside an open call would be replayed in another order`,
    { run, ...(path === undefined ? {} : { path }) },
  )
}

function interruption({ run, turn }: OpenTurn, path?: string): WaystoneError {
  return new WaystoneError('interrupted', `turn ${String(turn)} was interrupted`, {
    run,
    ...(path === undefined ? {} : { path }),
  })
}

/** True for a call of a branch that has lost: nothing starts for it, but a `once` that was started is settled. */
function isOut({ branch, family, start }: Call): boolean {
  return branch.doomed && !(family === 'once' && start !== undefined)
}
