import {
  encodeValue,
  limits,
  RunHandle,
  Runtime,
  WaystoneError,
  type AnyAgent,
  type OwnerId,
} from '@waystone/core'
import { Cast } from './cast.ts'
import { isOver, nextTime } from './next-time.ts'
import type { Person } from './person.ts'
import type { Scene } from './scene.ts'
import { stuck } from './stuck.ts'
import { testRunId, type KillPoint, type TestDevice } from './test-device.ts'
import type { TestableAgent, TestSettings } from './test-options.ts'
import { trapGlobals } from './trap-globals.ts'
import { watchAgent } from './watch-agent.ts'

/** What a turn that waits for something real, outside of ctx, is given before it counts as standing still, in ms. */
const graceMs = 200
/** How often in a row time may pass without anything coming of it. */
const idleJumpsMax = 50

/** One host of a run. */
export interface Stage {
  readonly device: TestDevice
  readonly scene: Scene
  readonly person: Person
  readonly kill?: KillPoint | undefined
}

/** Runs an agent on a device until its run ends or pauses, or the host is killed: then undefined. */
export async function play(
  agent: TestableAgent,
  options: TestSettings & { readonly input?: unknown },
  use: object,
  { device, scene, person, kill }: Stage,
): Promise<RunHandle | undefined> {
  const { ports, isKilled } = device.host(scene, kill)
  const anywhere = options.place === undefined
  const agents: readonly AnyAgent[] = [agent.provide(use as never), ...(options.agents ?? [])]
  const open: { runtime?: Runtime; handle?: RunHandle; error?: unknown } = {}
  const begin = async (): Promise<void> => {
    open.runtime = await Runtime.open({
      ...ports,
      me: 'test' as OwnerId,
      place: options.place ?? 'browser',
      agents: agents.map((one) => watchAgent(one, scene, { anywhere })),
      development: options.replay ?? true,
      software: { host: 'test', versions: options.versions },
    })
    const input = encodeValue(options.input, { where: 'the input' })
    await open.runtime.start(agent.name, input, { id: testRunId })
    open.handle = await RunHandle.open(testRunId, open.runtime, ports.random)
  }
  const release = trapGlobals()
  try {
    begin().catch((error: unknown) => (open.error = error))
    await scene.still()
    if (open.error !== undefined) throw open.error
    if (open.handle && open.runtime)
      await drive(new Cast(open.runtime, open.handle, ports.random), scene, person, isKilled)
    return isKilled() ? undefined : open.handle
  } finally {
    // A host that was killed is not closed: its bodies are not told either.
    if (!isKilled()) await open.runtime?.close()
    release()
  }
}

/** Does what people do and lets time pass, one at a time and only when nothing else can happen. */
async function drive(cast: Cast, scene: Scene, person: Person, isKilled: () => boolean): Promise<void> {
  let idle = 0
  for (;;) {
    await scene.still()
    // Hosts tell what they do only so often: what they still have to tell is told now, in no time.
    if (scene.clock.skip(limits.liveMsMin)) await scene.still()
    if (isKilled()) return
    const runs = await cast.runs()
    const views = runs.flatMap((run) => run.view() ?? [])
    const [main] = views
    if (main === undefined) throw new WaystoneError('bug', 'the run under test has no entries')
    if (isOver(main)) return
    if (await anyActs(runs, person)) continue
    if (main.status === 'paused') return
    const next = nextTime(views, scene.clock)
    idle = next?.unsure ? idle + 1 : 0
    if (next === undefined || idle > idleJumpsMax) throw stuck(views)
    // Nobody waits for a time that the run tells of: the turn itself stands still, or a host has failed.
    const stands = views.some(({ live }) => live.standing)
    if (next.unsure && !stands && (await scene.grace(graceMs))) continue
    scene.clock.jump(next.time)
  }
}

async function anyActs(runs: readonly RunHandle[], person: Person): Promise<boolean> {
  for (const run of runs) {
    const view = run.view()
    if (view && !isOver(view) && (await person.act(run, view))) return true
  }
  return false
}
