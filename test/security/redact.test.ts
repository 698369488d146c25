import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineAgent, done, RunHandle, Runtime, type OwnerId, type RedactOptions } from '@waystone/core'
import { memoryChannels, memoryLocks } from '@waystone/core/memory'
import { nodeClock, nodeHost, nodeRandom, sqliteStorage } from '@waystone/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const token = 'token-of-a-person-4711'

/** Logs in, and fails to, with a secret in the result and in what the error says. */
const guest = (options: RedactOptions<{ token: string }>) =>
  defineAgent({
    name: 'guest',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      const login = await ctx.step('log in', options, () => ({ token }))
      const failed = ctx.once('pay', { timeout: '1s', ...options }, (): { token: string } => {
        throw new Error(`refused for ${token}`)
      })
      return done([login, await failed.catch(String)])
    },
  })

describe('redact, in a SQLite file', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waystone-redact-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** All bytes of the file and of the log beside it, of a run that has ended. */
  async function bytesOf(agent: ReturnType<typeof guest>): Promise<string> {
    const runtime = await Runtime.open({
      ...sqliteStorage(join(folder, 'runs.db')),
      ...{ locks: memoryLocks(), channel: memoryChannels()(), clock: nodeClock(), random: nodeRandom },
      ...{ me: 'laptop' as OwnerId, place: 'browser', agents: [agent], software: { host: nodeHost() } },
    })
    const run = await RunHandle.open(await runtime.start('guest', null), runtime, nodeRandom)
    await run.until(({ status }) => status === 'done')
    expect(run.checkpoints()[0]?.host).toMatch(/^node \d+$/)
    // While the file is open: what was written stands beside it.
    const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))))
    await runtime.close()
    return Buffer.concat(files).toString('latin1')
  }

  it('leaves no byte of a secret', async () => {
    const bytes = await bytesOf(guest({ redact: () => ({ token: 'left out' }) }))
    expect(bytes).toContain('left out')
    expect(bytes).not.toContain(token)
  })

  it('is what keeps it out: without it the secret is in the file', async () => {
    expect(await bytesOf(guest({}))).toContain(token)
  })
})
