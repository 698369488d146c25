import { expect, it } from 'vitest'
import { defineAgent, next } from '../engine/agent.ts'
import type { Channel } from '../ports/channel.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { TabMessage } from './tab-message.ts'

const listener = defineAgent({
  name: 'listener',
  version: 1,
  inbox: {},
  initial: () => ({ words: [] as string[] }),
  async turn(ctx, state) {
    state.words.push((await ctx.receive('word' as never)) as unknown as string)
    return next()
  },
})

/** A channel whose messages go nowhere while its page is in the cache; those on what was written then never come. */
function cachedChannel(channel: Channel) {
  const page = { isCached: false, wasCached: false }
  const listen: Channel['listen'] = (hear) =>
    channel.listen((message) => {
      const isLost = page.isCached || (page.wasCached && (message as TabMessage).type === 'appended')
      if (!isLost) hear(message)
    })
  return { page, channel: { ...channel, listen } }
}

/** A tab that writes a run and one that has only heard of it until it was frozen. */
async function twoTabs() {
  const device = testDevice([listener])
  const writer = await device.open()
  const run = await handleOf<{ readonly words: readonly string[] }>(
    writer,
    await writer.start('listener', null, { id: 'run' }),
  )
  await run.until(({ status }) => status === 'waiting')
  const { page, channel } = cachedChannel(device.channels())
  const other = await device.open({ channel })
  const seen = await handleOf<{ readonly words: readonly string[] }>(other, 'run')
  await seen.until(({ live }) => live.phase === 'waiting')
  await other.freeze()
  Object.assign(page, { isCached: true, wasCached: true })
  const thaw = (): Promise<void> => {
    page.isCached = false
    return other.thaw()
  }
  return { writer, other, run, seen, thaw }
}

it('a tab that was frozen shows what another one has written meanwhile, and what it does', async () => {
  const { run, seen, thaw } = await twoTabs()
  await run.send('word', 'one')
  await run.send('word', 'two')
  await run.until(({ state, status }) => state.words.length === 2 && status === 'waiting')
  await thaw()
  const { state } = await seen.until(({ turn, live }) => turn === 2 && live.phase === 'waiting')
  expect(state.words).toEqual(['one', 'two'])
})

it('a tab that was frozen takes over a run that another one has started meanwhile, when that one ends', async () => {
  const { writer, other, thaw } = await twoTabs()
  await writer.start('listener', null, { id: 'later' })
  await thaw()
  await writer.close()
  const isTaken = async (): Promise<boolean> =>
    (await other.runs()).some(({ run, status }) => run === 'later' && status === 'waiting')
  while (!(await isTaken())) await testClock.task()
})
