import { Runtime } from '@waystone/core'
import { browserChannel } from '../platform/browser-channel.ts'
import { browserClock } from '../platform/browser-clock.ts'
import { browserHost } from '../platform/browser-host.ts'
import { browserLocks } from '../platform/browser-locks.ts'
import { browserRandom } from '../platform/browser-random.ts'
import { edgeClient } from '../remote/edge-client.ts'
import { storageFor } from '../store/storage-for.ts'
import type { HostOptions, HostStorage } from './host-service.ts'

/** Opens the runs of this browser, in a worker or in the page, and goes on with those that were interrupted. */
export async function openHost(options: HostOptions): Promise<HostStorage & { readonly runtime: Runtime }> {
  const { name, agents, place, edgeUrl, token } = options
  const kept = await storageFor(name)
  kept.onState(options.onStorage)
  const { store, tails, snapshots, blobs, inbox, streams } = kept
  const me = await kept.device()
  const runtime = await Runtime.open({
    me,
    place,
    store,
    tails,
    snapshots,
    blobs,
    inbox,
    streams,
    agents,
    software: { host: browserHost(navigator), versions: options.versions },
    development: options.development ?? false,
    encryption: options.encryption,
    ...(options.syncPolicy ? { syncPolicy: options.syncPolicy } : {}),
    clock: browserClock(),
    random: browserRandom,
    locks: browserLocks(name),
    channel: browserChannel(name),
    ...(edgeUrl === undefined ? {} : { edge: edgeClient({ url: edgeUrl, ...(token ? { token } : {}) }, me) }),
  })
  const { storage, made, damage } = kept
  return { runtime, storage, made, damage }
}
