import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { browserHost } from '../../engine/browser-host.ts'
import type { EngineHost } from '../../engine/engine-host.ts'
import { objectHost } from '../../engine/object-host.ts'
import { answerTo, runCase } from '../../engine/run-case.ts'
import { startEffectServer, type Effect, type EffectServer } from '../../harness/effect-server.ts'
import { programs } from './programs.ts'

const files = ['page.ts', 'program.worker.ts'].map((file) => join(import.meta.dirname, file))
const hosts = [
  {
    where: 'a Web Worker of chromium',
    open: (service: string) =>
      browserHost('chromium', 'worker', { files, query: `?service=${encodeURIComponent(service)}` }),
  },
  {
    where: 'a Durable Object in workerd',
    open: (service: string) => objectHost(join(import.meta.dirname, 'wrangler.toml'), { SERVICE: service }),
  },
]

describe.each(hosts)('a program in $where, killed at five points', ({ open }) => {
  const heard: Effect[] = []
  let server: EffectServer
  let host: EngineHost
  beforeAll(async () => {
    server = await startEffectServer({ answer: answerTo, arrived: (effect) => void heard.push(effect) })
    host = await open(server.url)
  })
  afterAll(async () => {
    await host?.close()
    await server.close()
  })

  it.each(programs)(
    '$name: no call that was recorded is made again, and what is asked again is the same',
    async (program) => {
      await runCase(host, { server, heard }, program.agent.name, program)
    },
  )
})
