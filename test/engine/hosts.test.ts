import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startEffectServer, type Effect, type EffectServer } from '../harness/effect-server.ts'
import { skipWithout, type EngineName } from '../harness/engines.ts'
import { browserHost, casesPage } from './browser-host.ts'
import { engineCases, slowCases } from './engine-cases.ts'
import type { EngineHost } from './engine-host.ts'
import { objectHost } from './object-host.ts'
import { answerTo, runCase } from './run-case.ts'

/** A kind of host, and the browser without which it is skipped. */
interface HostKind {
  readonly title: string
  readonly open: () => Promise<EngineHost>
  readonly needs?: EngineName
}

const inWorkerOf = (needs: EngineName): HostKind => ({
  title: `a Web Worker of ${needs}`,
  needs,
  open: () => browserHost(needs, 'worker', casesPage),
})
const kinds: readonly HostKind[] = [
  { title: 'a page of chromium', needs: 'chromium', open: () => browserHost('chromium', 'page', casesPage) },
  ...(['chromium', 'firefox', 'webkit'] as const).map(inWorkerOf),
  {
    title: 'a Durable Object in workerd',
    open: () => objectHost(join(import.meta.dirname, 'app/wrangler.toml')),
  },
]

const heard: Effect[] = []
let server: EffectServer
/** Those that have been needed so far: all cases of a kind share one. */
const hosts = new Map<string, Promise<EngineHost>>()
beforeAll(async () => {
  server = await startEffectServer({ answer: answerTo, arrived: (effect) => void heard.push(effect) })
})
afterAll(async () => {
  await Promise.allSettled([...hosts.values()].map(async (host) => (await host).close()))
  await server.close()
})

function hostOf({ title, open }: HostKind): Promise<EngineHost> {
  const host = hosts.get(title) ?? open()
  hosts.set(title, host)
  return host
}

/** Each run has a host of its own, and mostly waits: they do so together, and those first that wait for a minute. */
const rest = engineCases.filter((of) => !slowCases.includes(of))
for (const cases of [slowCases, rest]) {
  describe.concurrent.for(kinds)('the engine in $title', (kind) => {
    it.concurrent.for(cases)('$name', async (of, context) => {
      if (kind.needs) skipWithout(kind.needs, context)
      const id = `${String(kinds.indexOf(kind))}-${String(engineCases.indexOf(of))}`
      await runCase(await hostOf(kind), { server, heard }, `case-${id}`, of)
    })
  })
}
