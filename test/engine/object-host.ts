import type { RunHandle, Runtime } from '@waystone/core'
import { pushRun } from '../e2e/pushed-run.ts'
import { startLastingEdge } from '../harness/lasting-edge.ts'
import { nodeDevice } from '../harness/node-device.ts'
import { poll } from '../harness/poll.ts'
import { act, entriesOf, watchTexts, type EngineHost, type HostedRun } from './engine-host.ts'

const token = 'a-secret-of-the-tests'

/** Objects in workerd, one a run, which a device in this process looks on. */
export async function objectHost(
  config: string,
  vars: Readonly<Record<string, string>> = {},
): Promise<EngineHost> {
  const edge = await startLastingEdge({ config, vars: { ...vars, TOKEN: token } })
  const { url } = edge.process
  const device = nodeDevice('reader', [], { url, token })
  const runtime = await device.open()
  const world = { edge: () => edge.process, headers: { authorization: `Bearer ${token}` } }
  return {
    run: async (id) =>
      inObject(id, {
        push: (agent, input) => pushRun(world, id, agent, input),
        kill: async () => void (await fetch(`${url}/kill/${id}`, { method: 'POST' })),
        storedText: async () => (await fetch(`${url}/stored-text/${id}`)).text(),
        open: (run) => device.run(runtime as Runtime, run) as Promise<RunHandle>,
      }),
    async close() {
      await runtime.close()
      await edge.close()
    },
  }
}

interface ObjectPorts {
  readonly push: HostedRun['start']
  readonly kill: () => Promise<void>
  /** The text of its streams, as far as a kill would leave it. */
  readonly storedText: () => Promise<string>
  readonly open: (run: string) => Promise<RunHandle>
}

function inObject(id: string, { push, kill, storedText, open }: ObjectPorts): HostedRun {
  let opened: Promise<RunHandle> | undefined
  let texts: readonly string[] = []
  const run = (): Promise<RunHandle> =>
    (opened ??= open(id).then((handle) => {
      texts = watchTexts(handle)
      return handle
    }))
  return {
    async start(agent, input) {
      await push(agent, input)
      await (await run()).until(() => true)
    },
    view: async () => (await run()).view(),
    entries: async () => entriesOf(await run()),
    texts: async () => (await run(), texts),
    act: async (command) => act(await run(), command),
    async kill() {
      const shown = texts.at(-1) ?? ''
      // An object stores text some times a second: readers may have seen what is to be stored in a moment.
      await poll(async () => (await storedText()).includes(shown) || undefined, {
        timeoutMs: 10_000,
        message: async () => `"${shown}" was shown, and stored is "${await storedText()}"`,
      })
      await kill()
      // Its alarm would bring it back as well, a quarter of a minute later.
      await (await run()).send('nudge', 'go on')
    },
    close: async () => (await run()).close(),
  }
}
