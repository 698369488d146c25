import { digestBytes, frameOf, toWire, type Digest, type ErrorCode } from '@waystone/core'
import { createRunHost, unguarded, type Failure, type HostedRun } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import type { Env } from './worker.ts'

/** What became of a frame that a device sent. */
interface Heard {
  /** What the handler of the object gave: true for a socket of the run. */
  readonly taken?: boolean
  /** What it rejected with. */
  readonly thrown?: ErrorCode
  readonly reported: readonly Pick<Failure, 'where'>[]
}

const path = 'https://edge/v1/runs/late'
const frame = frameOf({ type: 'held', head: { seq: 0, digest: digestBytes(new Uint8Array(1)) as Digest } })

/** An object that hears a device when there is no run to open. */
export class LateFrames extends DurableObject<Env> {
  readonly #reported: Failure[] = []

  /** The run was deleted when the frame comes. */
  async afterDeletion(): Promise<Heard> {
    const host = this.#host()
    const socket = await this.#follow(host)
    await host.fetch(new Request(path, { method: 'DELETE' }), unguarded)
    return this.#hear(host, socket)
  }

  /** The object has woken, and its tables cannot be read. */
  async whileUnreadable(): Promise<Heard> {
    const socket = await this.#follow(this.#host())
    this.ctx.storage.sql.exec('CREATE TABLE waystone_log (other TEXT)')
    return this.#hear(this.#host(), socket)
  }

  /** What is due later is not what is looked at. */
  override async alarm(): Promise<void> {}

  #host(): HostedRun {
    const report = (failure: Failure): void => void this.#reported.push(failure)
    return createRunHost(this.ctx, { agents: () => [], blobs: this.env.BLOBS, report })
  }

  /** A socket of a run that has begun, as the object has it. */
  async #follow(host: HostedRun): Promise<WebSocket> {
    const blob = new Uint8Array(1)
    const put = new Request(`${path}/blobs/${digestBytes(blob)}`, { method: 'PUT', body: blob })
    await host.fetch(put, unguarded)
    const headers = { upgrade: 'websocket' }
    const live = await host.fetch(new Request(`${path}/live?device=laptop&from=0`, { headers }), unguarded)
    // The client's end is not accepted: it does not answer when the other is closed, as one that has not heard of it.
    const [socket] = this.ctx.getWebSockets()
    if (socket === undefined) throw new Error(`the socket was not taken: ${String(await live?.text())}`)
    return socket
  }

  async #hear(host: HostedRun, socket: WebSocket): Promise<Heard> {
    const reported = (): Heard['reported'] => this.#reported.map(({ where }) => ({ where }))
    try {
      return { taken: await host.webSocketMessage(socket, frame), reported: reported() }
    } catch (error) {
      return { thrown: toWire(error).code, reported: reported() }
    }
  }
}
