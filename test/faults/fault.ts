import { WaystoneError, type Clock, type ErrorCode } from '@waystone/core'

/** What becomes of the n-th call: it fails, it is done and its answer is lost, or its host ends before or after it. */
export type FaultKind = 'fail' | 'lose answer' | 'kill before' | 'kill after'

/** What a port is: where it reaches says with which code its calls fail. */
export type Reach = 'storage' | 'network'

/** Counts the calls of the ports of one host, and lets one of them go wrong. */
export class Fault {
  readonly #at: number
  readonly #kind: FaultKind
  #calls = 0
  #killed: () => void = () => undefined
  /** Resolves when the host has ended. */
  readonly killed = new Promise<void>((resolve) => (this.#killed = resolve))
  /** False once the host has ended: nothing that it calls gives an answer, and nothing reaches it. */
  alive = true
  /** The call that went wrong, such as `store.append`. */
  hit: string | undefined

  constructor(kind: FaultKind, at: number) {
    this.#kind = kind
    this.#at = at
  }

  /** How many calls were counted. */
  get calls(): number {
    return this.#calls
  }

  /** The host ends now. */
  kill(): void {
    this.alive = false
    this.#killed()
  }

  /** A port whose calls are counted. All its methods give promises. */
  wrap<Port extends object>(name: string, reach: Reach, port: Port): Port {
    return new Proxy(port, {
      get: (target, method) => {
        const call = Reflect.get(target, method) as unknown
        if (typeof call !== 'function') return call
        const what = `${name}.${String(method)}`
        return (...args: unknown[]) =>
          this.#call(what, reach, () =>
            (call as (...args: unknown[]) => Promise<unknown>).apply(target, args),
          )
      },
    })
  }

  /** A clock of the host: whoever waits for it when the host ends waits for ever. */
  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      task: () => this.whileAlive(clock.task()),
      wait: (ms, signal) => this.whileAlive(clock.wait(ms, signal)),
    }
  }

  async #call(what: string, reach: Reach, call: () => Promise<unknown>): Promise<unknown> {
    if (!this.alive) return never()
    const isCounted = this.#kind !== 'lose answer' || reach === 'network'
    if (isCounted) this.#calls += 1
    if (!isCounted || this.#calls !== this.#at) return this.whileAlive(call())
    this.hit = what
    if (this.#kind === 'fail') throw failure(reach, what)
    if (this.#kind === 'kill before') {
      this.kill()
      return never()
    }
    const calling = call()
    if (this.#kind === 'kill after') {
      void calling.catch(() => undefined).then(() => this.kill())
      return never()
    }
    await calling.catch(() => undefined)
    throw failure(reach, what)
  }

  /** What a promise gives, unless the host has ended by then. */
  async whileAlive<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await promise
      return this.alive ? value : await never<T>()
    } catch (error) {
      if (!this.alive) return never()
      throw error
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}

function failure(reach: Reach, what: string): WaystoneError {
  const code: ErrorCode = reach === 'storage' ? 'storage_failed' : 'unreachable'
  return new WaystoneError(code, `${what} was made to fail`)
}
