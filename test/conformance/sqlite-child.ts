// Runs in a process of its own, which tests kill: `sqlite-child.ts WHAT PATH [TEXT]`.
import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { isWaystoneError, type Head, type RunStorage } from '@waystone/core'
import { sqliteStorage } from '@waystone/node'
import { entryAfter, headAfter, run } from './entries.ts'

const [what, path = '', text = ''] = process.argv.slice(2)

/** Tells the test, before anything else happens. */
function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`)
}

async function lastHead({ store }: RunStorage): Promise<Head | undefined> {
  return store.head(run)
}

/** Appends one, two or three entries at a time, relaxed and strict in turn, and tells of each head once it is acknowledged. */
async function appendForEver(storage: RunStorage): Promise<void> {
  let head = await lastHead(storage)
  for (let round = 0; ; round += 1) {
    const base = head
    const lines: Uint8Array[] = []
    for (let count = 0; count <= round % 3; count += 1) {
      const line = entryAfter(head, 'x'.repeat(400 * (1 + (round % 50))))
      lines.push(line)
      head = headAfter(line)
    }
    const durability = round % 2 === 0 ? 'relaxed' : 'strict'
    const answer = await storage.store.append(run, { base, lines, durability })
    if (!answer.ok) throw new Error(`the append was refused: ${answer.code}`)
    if (round % 20 === 19) await storage.store.compact(run, { forget: 0, cold: answer.head.seq - 5 })
    say('stored', answer.head.seq, answer.head.digest)
  }
}

/** Tries to be the one who writes each of the entries, and tells of which it was. */
async function compete(storage: RunStorage): Promise<void> {
  say('ready')
  for await (const _ of createInterface(process.stdin)) break
  let base: Head | undefined
  for (let seq = 0; seq < 300; seq += 1) {
    const line = entryAfter(base, text)
    const answer = await storage.store.append(run, { base, lines: [line], durability: 'relaxed' })
    say(answer.ok ? 'won' : 'lost', seq)
    const [stored] = answer.ok ? [line] : await storage.store.read(run, seq)
    base = headAfter(stored as Uint8Array)
  }
}

/** Appends until the disk is full, makes room, and appends once more. */
async function fill(storage: RunStorage): Promise<void> {
  const filler = join(dirname(path), 'filler')
  let head: Head | undefined
  const append = async (): Promise<void> => {
    const line = entryAfter(head, 'x'.repeat(30_000))
    const answer = await storage.store.append(run, { base: head, lines: [line], durability: 'relaxed' })
    if (!answer.ok) throw new Error(`the append was refused: ${answer.code}`)
    head = answer.head
  }
  try {
    for (;;) await append()
  } catch (error) {
    say('failed', isWaystoneError(error) ? error.code : String(error))
  }
  const stored = await lastHead(storage)
  say('kept', stored?.digest === head?.digest ? 'all' : 'something else')
  rmSync(filler)
  await append()
  say('stored', head?.seq ?? -1, head?.digest ?? '')
}

// The test has left room by it, which the database does not have.
if (what === 'fill') writeFileSync(join(dirname(path), 'filler'), new Uint8Array(400_000))
const storage = sqliteStorage(path)
if (what === 'append') await appendForEver(storage)
if (what === 'compete') await compete(storage)
if (what === 'fill') await fill(storage)
await storage.store.close()
