import { expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { pausedBy } from './paused-by.test-support.ts'

it('a turn has a bounded number of calls', async () => {
  const pause = await pausedBy(async (ctx) => {
    for (let call = 0; call < limits.turnRecordsMax; call += 1)
      ctx.sleep(`nap-${String(call)}`, '1h').catch(() => undefined)
    await ctx.sleep('one more', '1h')
  })
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded' })
  expect(pause?.error.message).toContain(String(limits.turnRecordsMax))
})

it('a map has a bounded number of items', async () => {
  const items = Array.from({ length: limits.mapItemsMax + 1 }, (_, at) => at)
  const pause = await pausedBy((ctx) => ctx.map('all', items, { key: String }, () => Promise.resolve(1)))
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded' })
  expect(pause?.error.message).toContain(String(limits.mapItemsMax))
})

it('a stream has a bounded length', async () => {
  const pause = await pausedBy((ctx) =>
    ctx.stream('speech', { attempts: 1 }, ({ out }) => out.write('x'.repeat(limits.streamCharsMax + 1))),
  )
  expect(pause?.error).toMatchObject({ code: 'limit_exceeded', path: '0/speech' })
})
