import { expect, it } from 'vitest'
import { memoryStorage } from '../memory/memory-storage.ts'
import { me, run, start } from './log.test-support.ts'
import { publicFold } from './public-body.ts'
import { RunLog } from './run-log.ts'

it('publicFold() shows what a writer runs in once an entry says it in the open, and not what is sealed in the first', async () => {
  const log = await RunLog.open(run, { ...memoryStorage(), now: () => Date.now() })
  const software = { host: 'chromium 156', versions: { ai: '7.0.1' } }
  const first = start({})
  await log.append(me, () => [{ ...first, body: { ...first.body, ...software } } as typeof first])
  expect(publicFold(log.mustFold())).toMatchObject({ host: undefined, versions: undefined })

  const opened = { reason: 'opened', place: 'browser', nonce: 'n', sdk: '0.0.0', ...software } as const
  await log.append(me, () => [{ kind: 'open', body: opened }])
  expect(publicFold(log.mustFold())).toMatchObject(software)
})
