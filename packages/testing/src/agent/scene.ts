import { WaystoneError } from '@waystone/core'
import { runAs, type Body } from './code-place.ts'
import { realTask, VirtualClock, within } from './virtual-clock.ts'

/** What a body belongs to. Only the first three count as the agent's own work; the others look or decide. */
export type BodyKind = 'step' | 'stream' | 'once' | 'verify' | 'undo' | 'schema'

/** One start of a body. */
export interface Started {
  readonly run: string
  readonly path: string
  readonly kind: BodyKind
}

/** Where one host of a run lives in a test: its time, the bodies that run, and what went wrong. */
export class Scene {
  readonly clock: VirtualClock
  readonly patienceMs: number
  /** Clocks, dice and timers in a turn are let through. */
  readonly allowsGlobals: boolean
  readonly started: Started[] = []
  /** Effects whose agent lets them start again by itself. */
  readonly retried = new Set<string>()
  readonly #bodies = new Set<Body>()
  readonly #wakers = new Set<() => void>()
  #failure: WaystoneError | undefined
  #moves = 0

  constructor(options: {
    readonly now: number
    readonly patienceMs: number
    readonly allowsGlobals: boolean
  }) {
    this.clock = new VirtualClock(options.now, () => this.moved())
    this.patienceMs = options.patienceMs
    this.allowsGlobals = options.allowsGlobals
  }

  /** Runs the code of a turn, in which what may not be called there throws. */
  inTurn<R>(work: () => R): R {
    return runAs({ in: 'turn', scene: this }, work)
  }

  /** Runs a body, and counts it while it does. */
  async runBody<R>(started: Started, work: () => R): Promise<Awaited<R>> {
    const body: Body = { path: started.path, scene: this, idle: 0 }
    this.started.push(started)
    this.#bodies.add(body)
    this.moved()
    try {
      return await runAs({ in: 'body', body }, work)
    } finally {
      this.#bodies.delete(body)
      this.moved()
    }
  }

  /** The test cannot go on; the first reason counts. */
  fail(error: WaystoneError): void {
    this.#failure ??= error
    this.moved()
  }

  /** How often something has happened. */
  get moves(): number {
    return this.#moves
  }

  /** Something happened. */
  moved(): void {
    this.#moves += 1
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }

  /**
   * Resolves when nothing can happen any more but by time or from outside: no task is due and no body does real work.
   * Everything else of a run in memory happens in microtasks, which are over after one task. Rejects when the test
   * failed, and with `step_timeout` when a body does nothing for the whole patience.
   */
  async still(): Promise<void> {
    for (;;) {
      await realTask()
      if (this.#failure) throw this.#failure
      if (this.clock.isBusy) continue
      const body = [...this.#bodies].find(({ idle }) => idle === 0)
      if (body === undefined) return
      if (!(await this.#within(this.patienceMs))) throw bodyHangs(body.path, this.patienceMs)
    }
  }

  /** Gives code that waits for something real, outside of ctx, a moment. False when nothing came of it. */
  async grace(ms: number): Promise<boolean> {
    return this.#within(ms)
  }

  #within(ms: number): Promise<boolean> {
    return within(ms, new Promise<void>((resolve) => this.#wakers.add(resolve)))
  }
}

function bodyHangs(path: string, ms: number): WaystoneError {
  return new WaystoneError(
    'step_timeout',
    `the body of "${path}" has done nothing for ${String(ms)} ms of real time. Let what it calls answer, let it wait with ` +
      '`elapse`, which takes virtual time, or raise `patience`',
    { path },
  )
}
