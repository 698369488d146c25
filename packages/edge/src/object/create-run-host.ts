import { checkVersions } from '@waystone/core'
import type { Asking } from '../access/asking.ts'
import type { DueTimes } from '../store/sql-due-times.ts'
import { ObjectHost } from './object-host.ts'
import type { RunAnswer, RunCall } from './run-call.ts'
import type { OwnWork, RunHostOptions } from './run-host-options.ts'

/** A run inside a Durable Object. The object hands on to it what the runtime calls. */
export interface HostedRun {
  /**
   * Due times of the application beside those of the run. An object has one alarm, which is always set to the earliest:
   * never call `storage.setAlarm` or `deleteAlarm` yourself. Names do not begin with `waystone.`.
   */
  readonly alarms: DueTimes
  /**
   * Answers requests under `/v1/runs/`; undefined for all others, which are the application's. Who asks, and for what, is what
   * `edgeRoutes` has found out: without them a request is `unauthorized`. An application that has let somebody in itself passes
   * `asking`, such as `unguarded`. An object has one run: another one is `request_refused`.
   */
  fetch(request: Request, asking?: Asking): Promise<Response> | undefined
  /**
   * What other objects of the class ask: the parent of the run, or its children. Call it from a method `runCall` of the class, and
   * never with what a request says.
   */
  runCall(call: RunCall): Promise<RunAnswer>
  /**
   * Call it from `alarm()`: lets the run go on when it is due, and does the application's `work` for each of its names
   * that has come due, one after the other, while the run works. A name is forgotten when its work is over, unless it was
   * set anew. Work that throws is reported, and begun again after 15 s, then 30 s and so on, up to an hour; so is work
   * during which the object died. Never throws: an alarm that throws seven times is gone for ever.
   *
   * Resolves with the names that came due. Without `work` they are forgotten by then, though the object may die
   * before it has acted on them.
   */
  alarm(work?: OwnWork): Promise<readonly string[]>
  /** Call it from `webSocketMessage`. False for a socket of the application. What fails is reported: it does not reject. */
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<boolean>
  /** Call it from `webSocketClose`. False for a socket of the application. */
  webSocketClose(socket: WebSocket, code: number): boolean
}

/**
 * Hosts a run inside a Durable Object class of one's own; `runObject` makes a class that does nothing else. Call it in
 * the constructor. All its tables are named `waystone_...`, its sockets have a tag of their own. `ping` on any
 * WebSocket of the object is answered with `pong` by the runtime. Throws `input_refused` for `versions` that are none.
 *
 * @example
 * class Desk extends DurableObject<Env> {
 *   readonly #host = createRunHost(this.ctx, { agents: () => [researcher], blobs: this.env.BLOBS })
 *   override fetch(request: Request) {
 *     return this.#host.fetch(request) ?? new Response('mine')
 *   }
 *   override async alarm() {
 *     await this.#host.alarm((name) => this.work(name))
 *   }
 *   override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer) {
 *     await this.#host.webSocketMessage(socket, message)
 *   }
 *   override webSocketClose(socket: WebSocket, code: number) {
 *     this.#host.webSocketClose(socket, code)
 *   }
 * }
 */
export function createRunHost(ctx: DurableObjectState, options: RunHostOptions): HostedRun {
  checkVersions(options.versions)
  const host = new ObjectHost(ctx, options)
  return {
    alarms: host.times.own,
    fetch: (request, asking) => (isOurs(request) ? host.answer(request, asking) : undefined),
    runCall: (call) => host.called(call),
    alarm: (work) => host.alarm(work),
    webSocketMessage: (socket, message) => host.heard(socket, message),
    webSocketClose: (socket, code) => host.closed(socket, code),
  }
}

function isOurs(request: Request): boolean {
  return new URL(request.url).pathname.startsWith('/v1/runs/')
}
