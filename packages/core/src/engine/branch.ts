/** A turn, or a branch of it: where calls are made, and whether they may go on. */
export class Branch {
  readonly path: string
  /** How many branches of this one are open. */
  open = 0
  readonly #parent: Branch | undefined
  /** Fires when all branches are over. */
  readonly #above: AbortSignal | undefined
  #signal: AbortSignal | undefined
  #controller: AbortController | undefined
  #doomed = false
  #cancelled = false

  private constructor(path: string, parent: Branch | undefined, above?: AbortSignal) {
    this.path = path
    this.#parent = parent
    this.#above = above
  }

  /** The branch that a turn itself is; `signal` fires when its attempt is over. */
  static ofTurn(path: string, signal: AbortSignal): Branch {
    return new Branch(path, undefined, signal)
  }

  /** A branch within this one. */
  inside(path: string): Branch {
    return new Branch(path, this)
  }

  /** True once it has lost a race, which may not be recorded yet: nothing starts in it any more. */
  get doomed(): boolean {
    return this.#doomed || (this.#parent?.doomed ?? false)
  }

  /** True once that is recorded and delivered: its calls reject. */
  get cancelled(): boolean {
    return this.#cancelled || (this.#parent?.cancelled ?? false)
  }

  /** Fires when the branch is stopped or cancelled, or the attempt is over. Made when first asked for: a map has 10,000 branches. */
  get signal(): AbortSignal {
    if (this.#signal) return this.#signal
    const controller = new AbortController()
    this.#controller = controller
    this.#signal = controller.signal
    const above = this.#parent?.signal ?? this.#above
    if (this.cancelled || above?.aborted) controller.abort(above?.reason)
    else above?.addEventListener('abort', () => controller.abort(above.reason))
    return controller.signal
  }

  /** Tells what goes on in it to end, which still counts. */
  stop(reason: unknown): void {
    void this.signal
    this.#controller?.abort(reason)
  }

  doom(): void {
    this.#doomed = true
  }

  cancel(reason: unknown): void {
    this.#cancelled = true
    this.#controller?.abort(reason)
  }
}
