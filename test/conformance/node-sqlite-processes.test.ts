import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseLine, verifyChain } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { run } from './entries.ts'

const script = join(import.meta.dirname, 'sqlite-child.ts')
const nodeArgs = ['--conditions=@waystone/source', '--disable-warning=ExperimentalWarning', script]

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waystone-sqlite-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A process that writes, and the words of each line that it has said. */
function start(what: string, path: string, text = '') {
  const child = spawn(process.execPath, [...nodeArgs, what, path, text], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const said: (readonly string[])[] = []
  const lines = createInterface(child.stdout)
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  /** Resolves with what makes it stop: so many lines, or its end. */
  const hears = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (said.length >= count) resolve()
      }
      lines.on('line', check)
      void ended.then(() => resolve())
      check()
    })
  lines.prependListener('line', (line: string) => said.push(line.split(' ')))
  return { child, said, ended, hears }
}

/** All lines of the log, checked to be one chain. */
async function logOf(path: string): Promise<readonly Uint8Array[]> {
  const { store } = sqliteStorage(path)
  const lines: Uint8Array[] = []
  for (let page = await store.read(run, 0); page.length > 0; page = await store.read(run, lines.length))
    lines.push(...page)
  await store.close()
  verifyChain(run, undefined, lines)
  return lines
}

describe('processes on a SQLite file', () => {
  it('finds every acknowledged entry after a SIGKILL in the middle of appends', async () => {
    const path = join(folder, 'killed.db')
    for (let life = 1; life <= 8; life += 1) {
      const { child, said, ended, hears } = start('append', path)
      await hears(10 * life)
      child.kill('SIGKILL')
      expect(await ended).toBeNull()
      const digests = (await logOf(path)).map((line) => parseLine(line).digest)
      expect(said.length).toBeGreaterThanOrEqual(10 * life)
      for (const [, seq, digest] of said) expect([seq, digests[Number(seq)]]).toEqual([seq, digest])
    }
  })

  it('lets one of two processes win each entry of one run', async () => {
    const path = join(folder, 'shared.db')
    const rivals = ['one', 'two'].map((text) => start('compete', path, text))
    await Promise.all(rivals.map(({ hears }) => hears(1)))
    for (const { child, said } of rivals) {
      expect(said).toEqual([['ready']])
      child.stdin.end('go\n')
    }
    expect(await Promise.all(rivals.map(({ ended }) => ended))).toEqual([0, 0])
    const writers = (await logOf(path)).map((line) => JSON.stringify(parseLine(line).body))
    expect(writers).toHaveLength(300)
    for (let seq = 0; seq < 300; seq += 1) {
      const answers = rivals.map(({ said }) => said[seq + 1])
      expect(answers.map((words) => words?.[1])).toEqual([String(seq), String(seq)])
      expect(answers.map((words) => words?.[0]).sort()).toEqual(['lost', 'won'])
      const winner = answers[0]?.[0] === 'won' ? 'one' : 'two'
      expect(writers[seq]).toContain(`"${winner}"`)
    }
  })

  it('says storage_full when the disk is full, stores nothing of it, and goes on when there is room', async (context) => {
    const mount = 'mount -t tmpfs -o size=1500k tmpfs "$0" && exec "$@"'
    const isolated = ['-rm', 'sh', '-c', mount]
    const tried = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs tmpfs "$0"', folder])
    context.skip(
      tried.status !== 0,
      'needs a small file system of its own, which this machine does not allow',
    )
    const path = join(folder, 'full.db')
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [...isolated, folder, process.execPath, ...nodeArgs, 'fill', path],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([0, ''])
    const said = stdout.trim().split('\n')
    expect(said.slice(0, 2)).toEqual(['failed storage_full', 'kept all'])
    expect(said[2]).toMatch(/^stored \d+ [0-9a-f]{64}$/)
  })
})
