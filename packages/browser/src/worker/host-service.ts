import type { AnyAgent, RuntimeApi, SyncPolicy } from '@waystone/core'

/** What a page tells a host when it opens one. Can be cloned. */
export interface HostConfig {
  readonly name: string
  readonly edgeUrl?: string
  readonly syncPolicy?: SyncPolicy
  readonly development?: boolean
}

/** What a worker offers to its page. */
export interface HostService {
  /** Opens the host, once. `token` is a proxy of the page's function. */
  open(
    config: HostConfig,
    token?: () => Promise<string>,
  ): Promise<{ readonly storage: 'indexeddb' | 'memory' }>
  readonly api: RuntimeApi
}

/** How a host is opened. */
export interface HostOptions extends HostConfig {
  readonly agents: readonly AnyAgent[]
  readonly place: 'browser' | 'page'
  readonly token?: () => string | Promise<string>
}
