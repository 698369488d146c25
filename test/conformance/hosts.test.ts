import { memoryChannels, memoryLocks } from '@waystone/core/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineNames, skipWithout } from '../harness/engines.ts'
import type { StaticServer } from '../harness/static-server.ts'
import { hostCases, runHostCase } from './hosts.ts'
import { remoteAt } from './page-hosts.ts'
import { startRemoteWorld } from './remote-world.ts'
import { call, servePage, sharedTab } from './test-pages.ts'

let server: StaticServer
let world: Awaited<ReturnType<typeof startRemoteWorld>>
beforeAll(async () => {
  server = await servePage()
  world = await startRemoteWorld(server.url)
})
afterAll(async () => {
  await world?.close()
  await server?.close()
})

describe('hosts in memory', () => {
  it.for(hostCases('locks', 'channel'))('%s: %s', async ([port, name]) => {
    const locks = memoryLocks()
    const channels = memoryChannels()
    const subjects = {
      locks: async () => ({ host: () => locks }),
      channel: async () => ({ host: channels }),
    }
    expect(await runHostCase(subjects, port as keyof typeof subjects, name)).toEqual({ name, ok: true })
  })
})

describe('the client of the edge in Node, and workerd', () => {
  it.for(hostCases('remote'))('%s: %s', async ([, name]) => {
    const remote = async () => remoteAt(world.ways)
    expect(await runHostCase({ remote }, 'remote', name)).toEqual({ name, ok: true })
  })
})

describe.each(engineNames)('hosts in %s, and workerd', (engineName) => {
  const tab = sharedTab(engineName, () => server)

  describe.each(['runHostInPage', 'runHostInWorker'])('%s', (place) => {
    it.for(hostCases('clock', 'locks', 'channel', 'remote'))('%s: %s', async ([port, name], context) => {
      skipWithout(engineName, context)
      const result = await (await tab()).evaluate(call(place, port, name, world.ways))
      expect(result).toEqual({ name, ok: true })
    })
  })
})
