import { WaystoneError, type ErrorCode } from '@waystone/core'
import { expect, it } from 'vitest'
import type { Failure } from '../report.ts'
import { errorResponse } from './errors.ts'

it.each(['bug', 'storage_failed', 'storage_full', 'agent_unknown'] satisfies ErrorCode[])(
  'errorResponse() reports what is not the fault of who asks: %s',
  async (code) => {
    const failures: Failure[] = []
    const error = new WaystoneError(code, 'it failed', { cause: new Error('why') })
    const answer = errorResponse(error, (failure) => failures.push(failure))
    expect([answer.status, failures]).toEqual([500, [{ where: 'request', error }]])
    expect(await answer.text()).not.toContain('why')
  },
)

it('errorResponse() reports what is no error of Waystone, and tells nothing of it', async () => {
  const failures: Failure[] = []
  const error = new TypeError('secret')
  const answer = errorResponse(error, (failure) => failures.push(failure))
  expect([answer.status, failures]).toEqual([500, [{ where: 'request', error }]])
  expect(await answer.text()).not.toContain('secret')
})

it('errorResponse() does not report what was refused', () => {
  const failures: Failure[] = []
  const codes: readonly ErrorCode[] = ['forbidden', 'run_deleted', 'limit_exceeded', 'entry_refused']
  for (const code of codes) errorResponse(new WaystoneError(code, 'no'), (failure) => failures.push(failure))
  expect(failures).toEqual([])
})
