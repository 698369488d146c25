import { WaystoneError, type AnyAgent, type Encryption, type RuntimeApi } from '@waystone/core'
import { expose, proxy } from 'comlink'
import { installErrorTransfer } from './error-transfer.ts'
import type { HostService } from './host-service.ts'
import { openHost } from './open-host.ts'

/** What a worker hosts. */
export interface ServeOptions {
  readonly agents: readonly AnyAgent[]
  /** What its runs are encrypted with: the same as the page's. */
  readonly encryption?: Encryption | Promise<Encryption>
  /** Versions of what these agents depend on, beside those that the page names. */
  readonly versions?: Readonly<Record<string, string>>
}

/**
 * Hosts agents in this dedicated worker, for the page that started it with `openWaystone({ worker })`. The worker file
 * belongs to the application, so that its bundler sees it.
 *
 * @example
 * // agent.worker.ts
 * serveAgents({ agents: [researcher.provide({ llm })] })
 */
export function serveAgents({ agents, encryption, versions }: ServeOptions): void {
  installErrorTransfer()
  let api: RuntimeApi | undefined
  const service: HostService = {
    async open(config, onStorage, token) {
      if (api)
        throw new WaystoneError('input_refused', 'this worker was opened already: one page, one worker')
      if (config.isEncrypted === true && encryption === undefined) throw notEncrypted()
      const { runtime, ...storage } = await openHost({
        ...config,
        encryption: await encryption,
        versions: { ...config.versions, ...versions },
        agents,
        place: 'browser',
        onStorage: (state) => void onStorage(state),
        ...(token ? { token: () => token() } : {}),
      })
      api = proxy(runtime)
      return storage
    },
    get api(): RuntimeApi {
      if (api === undefined) throw new WaystoneError('closed', 'this worker was not opened yet')
      return api
    },
  }
  expose(service)
}

function notEncrypted(): WaystoneError {
  return new WaystoneError(
    'input_refused',
    'the page opened Waystone with `encryption`, and its worker has none: pass the same to `serveAgents`',
  )
}
