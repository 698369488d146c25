import { parseRunId, WaystoneError } from '@waystone/core'
import { expect, it } from 'vitest'
import { logFailures } from './log-failures.ts'

it('logFailures() writes a line for each failure, with its code and its causes', () => {
  const lines: string[] = []
  const report = logFailures((line) => lines.push(line))
  const cause = new TypeError('no such column', { cause: 'the disk' })
  const error = new WaystoneError('storage_failed', 'the run cannot be read', { cause })
  report({ where: 'request', run: parseRunId('trip'), error })
  report({ where: 'alarm', error: 'a word' })
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      ...{ waystone: 'failure', time: expect.any(String), where: 'request', run: 'trip' },
      ...{ code: 'storage_failed', message: 'the run cannot be read', stack: expect.any(String) },
      cause: { message: 'no such column', stack: expect.any(String), cause: { message: 'the disk' } },
    },
    { waystone: 'failure', time: expect.any(String), where: 'alarm', message: 'a word' },
  ])
})

it('logFailures() ends with causes that go round', () => {
  const lines: string[] = []
  const error = new Error('round')
  error.cause = error
  logFailures((line) => lines.push(line))({ where: 'run', error })
  expect(lines).toHaveLength(1)
})
