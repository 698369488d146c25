import {
  headOfLine,
  limits,
  parseOwnerId,
  parseRunId,
  sealEntry,
  type Append,
  type Head,
  type LogStore,
  type OwnerId,
  type RunId,
  type RunStorage,
  type RunSummary,
  type SetAside,
  type Tails,
} from '@waystone/core'
import { expectBytes, expectEqual } from './expect.ts'

/** What keeps logs, and what appends to them have set aside. */
export type LogSubject = Pick<RunStorage, 'store' | 'tails'>

/** The run that most cases use. */
export const run: RunId = parseRunId('run-1')
/** Why a tail is set aside. */
export const reason = 'the edge went on without it'
const owner: OwnerId = parseOwnerId('device-1')

/** Entries that follow each other. */
export interface Chain {
  readonly lines: readonly Uint8Array[]
  /** The head after each line. */
  readonly heads: readonly Head[]
}

/** What the entries of a chain are like. */
export interface ChainOptions {
  readonly run?: RunId
  readonly after?: Head | undefined
  readonly count: number
  /** Told apart from other chains at the same place by this text. */
  readonly text?: string
  /** The exact size of each line, in bytes. */
  readonly lineBytes?: number
}

/** Real entries, sealed and chained. */
export function chain(options: ChainOptions): Chain {
  const lines: Uint8Array[] = []
  const heads: Head[] = []
  let head = options.after
  for (let index = 0; index < options.count; index += 1) {
    const seal = (text: string): ReturnType<typeof sealEntry> =>
      sealEntry(
        {
          kind: 'step',
          body: { path: `1/step-${String(index)}`, attempts: 1, ms: 5, outcome: { value: text } },
        },
        {
          run: options.run ?? run,
          seq: head === undefined ? 0 : head.seq + 1,
          prev: head?.digest ?? null,
          epoch: 0,
          term: 1,
          owner,
          time: 1_800_000_000_000,
        },
      )
    const text = options.text ?? 'a'
    const missing = options.lineBytes === undefined ? 0 : options.lineBytes - seal(text).line.byteLength
    const { entry, line } = seal(text + 'x'.repeat(missing))
    head = { seq: entry.seq, digest: entry.digest }
    lines.push(line)
    heads.push(head)
  }
  return { lines, heads }
}

/** An append without more than it needs. */
export function appendOf(
  base: Head | undefined,
  lines: readonly Uint8Array[],
  more: Partial<Append> = {},
): Append {
  return { base, lines, durability: 'relaxed', ...more }
}

/** Appends a chain after a head, so many entries at a time. */
export async function appendBy(
  store: LogStore,
  { lines, heads }: Chain,
  count: number,
  of: RunId = run,
  after?: Head,
): Promise<void> {
  for (let from = 0; from < lines.length; from += count) {
    const some = lines.slice(from, from + count)
    await mustAppend(store, appendOf(heads[from - 1] ?? after, some), heads[from + some.length - 1], of)
  }
}

/** Appends and expects it to be accepted, with the head that it names. */
export async function mustAppend(
  store: LogStore,
  append: Append,
  head: Head | undefined,
  of: RunId = run,
): Promise<void> {
  expectEqual(await store.append(of, append), { ok: true, head }, 'the answer to an append')
}

/** Expects an append to be refused because the log ends elsewhere, naming where. */
export async function expectMoved(
  store: LogStore,
  append: Append,
  head: Head | undefined,
  what: string,
): Promise<void> {
  expectEqual(await store.append(run, append), { ok: false, code: 'head_moved', head }, what)
}

/** All lines of a run, page by page. Each page has a line, and no more than a page may hold beside its last line. */
export async function readAll(store: LogStore, of: RunId = run, from = 0): Promise<readonly Uint8Array[]> {
  const lines: Uint8Array[] = []
  for (let next = from; ;) {
    const page = await store.read(of, next)
    const last = page.at(-1)
    if (last === undefined) return lines
    const bytes = page.slice(0, -1).reduce((sum, line) => sum + line.byteLength, 0)
    if (bytes > limits.pageBytesMax)
      throw new Error(`a page holds ${String(bytes)} bytes before its last line`)
    lines.push(...page)
    next = headOfLine(last).seq + 1
  }
}

/** The sequence number of the first entry that is kept. */
export async function firstSeq(store: LogStore, of: RunId = run): Promise<number> {
  const [line] = await store.read(of, 0)
  if (line === undefined) throw new Error('expected a log with entries, found none')
  return headOfLine(line).seq
}

/** Expects a log to be exactly these lines and to end at their head. */
export async function expectLog(store: LogStore, { lines, heads }: Chain, of: RunId = run): Promise<void> {
  expectBytes(await readAll(store, of), lines, 'the log')
  expectEqual(await store.head(of), heads.at(-1), 'the head')
}

/** Two chains as one. */
export function joined(...chains: readonly Chain[]): Chain {
  return { lines: chains.flatMap(({ lines }) => lines), heads: chains.flatMap(({ heads }) => heads) }
}

/** The entries of a chain from one on. */
export function restOf({ lines, heads }: Chain, from: number): Chain {
  return { lines: lines.slice(from), heads: heads.slice(from) }
}

/** The first entries of a chain. */
export function firstOf({ lines, heads }: Chain, count: number): Chain {
  return { lines: lines.slice(0, count), heads: heads.slice(0, count) }
}

/** A summary of a run. */
export function summary(of: RunId, updated = 1): RunSummary {
  return { run: of, agent: 'researcher', status: 'running', owner, place: 'browser', started: 1, updated }
}

/** Expects these tails to be set aside, oldest first. */
export async function expectAside(
  tails: Tails,
  expected: readonly Pick<SetAside, 'time' | 'lines'>[],
  of: RunId = run,
): Promise<void> {
  const found = await tails.list(of)
  expectEqual(
    found.map((one) => ({ reason: one.reason, time: one.time })),
    expected.map(({ time }) => ({ reason, time })),
    'what was set aside',
  )
  for (const [index, { lines }] of expected.entries())
    expectBytes(found[index]?.lines ?? [], lines, 'a tail set aside')
}
