import type { AnyAgent, Encryption, RuntimeApi, SyncPolicy, Token } from '@waystone/core'
import type { StorageListener } from '../store/storage-state.ts'

/** What a page tells a host when it opens one. Can be cloned. */
export interface HostConfig {
  readonly name: string
  readonly edgeUrl?: string
  readonly syncPolicy?: SyncPolicy
  readonly development?: boolean
  readonly versions?: Readonly<Record<string, string>> | undefined
  /** The page encrypts: a worker that does not would start runs in the open. */
  readonly isEncrypted?: boolean
}

/** Where a host keeps its runs. Can be cloned. */
export interface HostStorage {
  readonly storage: 'indexeddb' | 'memory'
  /** There was nothing of this name before. */
  readonly made: boolean
  /** What was damaged, so that the browser has made it anew, where it says so. */
  readonly damage?: string | undefined
}

/** What a worker offers to its page. */
export interface HostService {
  /** Opens the host, once. `onStorage` and `token` are proxies of the page's functions. */
  open(config: HostConfig, onStorage: StorageListener, token?: () => Promise<string>): Promise<HostStorage>
  readonly api: RuntimeApi
}

/** How a host is opened. */
export interface HostOptions extends HostConfig {
  readonly agents: readonly AnyAgent[]
  readonly place: 'browser' | 'page'
  readonly token?: Token
  readonly encryption?: Encryption | undefined
  /** Hears how the storage is, at once and whenever that changes. */
  readonly onStorage: StorageListener
}
