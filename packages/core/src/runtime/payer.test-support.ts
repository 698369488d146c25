import { defineAgent, next } from '../engine/agent.ts'
import type { Digest, RunId } from '../ids.ts'
import { run } from '../log/log.test-support.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { handleOf, testDevice } from './memory-world.test-support.ts'

/** Pays whenever it is told to. */
export const payer = defineAgent({
  name: 'payer',
  version: 1,
  initial: () => ({ paid: 0 }),
  async turn(ctx, state) {
    await ctx.receive('pay' as never)
    await ctx.once('charge', { timeout: '5s' }, () => 'charged')
    state.paid += 1
    return next()
  },
})

/** A run that has paid so many times, on a device that is closed, and the digest of the entry that begins the last charge. */
export async function paid(times: number, options: Parameters<typeof testDevice>[1] = {}) {
  const device = testDevice([payer], options)
  const runtime = await device.open()
  const handle = await handleOf(runtime, await runtime.start('payer', null, { id: run }))
  for (let time = 1; time <= times; time += 1) {
    await handle.send('pay', null)
    await handle.until(
      ({ state, status }) => (state as { paid: number }).paid === time && status === 'waiting',
    )
  }
  if (options.edge) await handle.synced()
  const last = handle.entries().findLast(({ kind }) => kind === 'once.start')
  await runtime.close()
  return { device, digest: last?.digest as Digest }
}

/** What is read of one entry has another byte than was written, until something more of the run is set aside than before. */
export function damage(
  { store, tails }: Pick<RunStorage, 'store' | 'tails'>,
  isIt: (line: Uint8Array) => boolean,
  {
    at = () => 9,
    mask = 1,
    of = run,
  }: { readonly at?: (line: Uint8Array) => number; readonly mask?: number; readonly of?: RunId } = {},
): void {
  const { read } = store
  const before = tails.list(of)
  store.read = async (...args) => {
    const page = await read(...args)
    if ((await tails.list(of)).length > (await before).length) return page
    return page.map((line) => (isIt(line) ? line.with(at(line), (line[at(line)] as number) ^ mask) : line))
  }
}
