import { WaystoneError, type AnyAgent, type RuntimeApi } from '@waystone/core'
import { expose, proxy } from 'comlink'
import { installErrorTransfer } from './error-transfer.ts'
import type { HostService } from './host-service.ts'
import { openHost } from './open-host.ts'

/**
 * Hosts agents in this dedicated worker, for the page that started it with `openWaystone({ worker })`. The worker file
 * belongs to the application, so that its bundler sees it.
 *
 * @example
 * // agent.worker.ts
 * serveAgents({ agents: [researcher.provide({ llm })] })
 */
export function serveAgents({ agents }: { readonly agents: readonly AnyAgent[] }): void {
  installErrorTransfer()
  let api: RuntimeApi | undefined
  const service: HostService = {
    async open(config, onStorage, token) {
      if (api)
        throw new WaystoneError('input_refused', 'this worker was opened already: one page, one worker')
      const { runtime, storage, made } = await openHost({
        ...config,
        agents,
        place: 'browser',
        onStorage: (state) => void onStorage(state),
        ...(token ? { token: () => token() } : {}),
      })
      api = proxy(runtime)
      return { storage, made }
    },
    get api(): RuntimeApi {
      if (api === undefined) throw new WaystoneError('closed', 'this worker was not opened yet')
      return api
    },
  }
  expose(service)
}
