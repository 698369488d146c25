import { parseRunId, sealEntry } from '@waystone/core'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

let world: SecurityWorld
beforeAll(async () => {
  // A run of the tests has three entries.
  world = await startSecurityWorld({ QUOTA: '3,400000' })
})
afterAll(() => world.close())

it('a run over its quota takes nothing more from devices, and keeps what it has', async () => {
  const run = parseRunId('ana.full')
  const { text, head } = await world.begin('acme', run)
  const token = await world.token()
  const push = (body: string, base: string) =>
    world.ask(`/v1/runs/${run}/entries`, token, { method: 'POST', body, headers: { 'waystone-base': base } })
  // What is stored already may be sent again: nobody knows whether the answer was lost.
  expect((await push(text, 'none')).code).toBeUndefined()
  const at = { run, seq: 3, prev: head.digest, epoch: 0, term: 1, owner: laptop, time: 1 }
  const { line } = sealEntry({ kind: 'interrupt', body: { id: 'i', by: 'ana' } }, at)
  const fourth = `${new TextDecoder().decode(line)}\n`
  expect((await push(fourth, `2:${head.digest}`)).code).toBe('limit_exceeded')

  const codes: (string | undefined)[] = []
  for (let blob = 0; blob < 20; blob++) {
    // Bytes that do not get smaller.
    const bytes = crypto.getRandomValues(new Uint8Array(50_000))
    const hash = createHash('sha256').update(bytes).digest('hex')
    codes.push((await world.ask(`/v1/runs/${run}/blobs/${hash}`, token, { method: 'PUT', body: bytes })).code)
  }
  expect(codes[0]).toBeUndefined()
  expect(codes.at(-1)).toBe('limit_exceeded')
  expect((await world.ask(`/v1/runs/${run}/entries?from=0`, token)).text).toBe(text)
})
