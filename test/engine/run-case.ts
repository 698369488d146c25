import type { RunView } from '@waystone/core'
import { expect } from 'vitest'
import type { Effect, EffectServer, Hold } from '../harness/effect-server.ts'
import { poll } from '../harness/poll.ts'
import type { EngineCase, HeldRequest, Play } from './engine-case.ts'
import type { EngineHost, EntryFacts, HostedRun } from './engine-host.ts'

/** A turn that stands still is paused after a minute; a busy machine may take longer. */
const waitMsMax = 120_000

/** The outside of the cases: what it answers, and all that it was asked. */
export interface Outside {
  readonly server: EffectServer
  /** Every request that came, repeats included. */
  readonly heard: readonly Effect[]
}

/** Which kinds of entries give a call its outcome. */
const outcomes = new Set(['step', 'once', 'answer', 'receive', 'drain', 'wake', 'race', 'join'])

/** Plays a case in a host, and holds what comes of it to what it must come to. */
export async function runCase(
  host: EngineHost,
  { server, heard }: Outside,
  id: string,
  of: EngineCase,
): Promise<void> {
  const requests = (): readonly Effect[] => heard.filter(({ path }) => path.startsWith(`/effect/${id}.`))
  const starts = (): Readonly<Record<string, number>> =>
    countBy(requests().map(({ path }) => requestOf(path, id)))
  const run = await host.run(id)
  const begin = (): Promise<void> => run.start(of.agent, of.input ?? { server: server.url, run: id })
  const hold = (request: string): HeldRequest => heldBy(server.hold(pathOf(request, id)), request, run)
  const play = playOf(run, { begin, starts, hold })
  const seen = await of.play(play)
  const last = await play.until(({ status }) => status === of.end.view['status'])

  expect(last).toMatchObject(patterns(of.end.view) as object)
  expect(starts()).toEqual(of.end.starts)
  if ('seen' in of.end) expect(seen).toEqual(of.end.seen)
  const recorded = outcomesOf(await run.entries())
  expect(new Set(recorded).size).toBe(recorded.length)
  if (of.end.recorded) expect(recorded).toEqual(of.end.recorded)
  if (of.end.text !== undefined) expectText(await run.texts(), of.end.text)
  expectRepeats(requests())
  await run.close()
}

/** The same, whose wait says what the run does instead. */
function heldBy(hold: Hold, request: string, run: HostedRun): HeldRequest {
  let isHere = false
  void hold.arrived.then(() => (isHere = true))
  return {
    get arrived() {
      return poll(() => isHere || undefined, {
        timeoutMs: waitMsMax,
        message: async () => `"${request}" was not asked for: ${JSON.stringify(await run.view())}`,
      }).then(() => undefined)
    },
    release: () => hold.release(),
  }
}

function playOf(run: HostedRun, given: Pick<Play, 'begin' | 'starts' | 'hold'>): Play {
  const until = (fits: (view: RunView) => boolean): Promise<RunView> =>
    poll(
      async () => {
        const view = await run.view()
        return view !== undefined && fits(view) ? view : undefined
      },
      { timeoutMs: waitMsMax, message: async () => `the run stays so: ${JSON.stringify(await run.view())}` },
    )
  const has = async (what: string, isThere: (entries: readonly EntryFacts[]) => boolean): Promise<void> => {
    await poll(async () => isThere(await run.entries()) || undefined, {
      timeoutMs: waitMsMax,
      message: async () => `"${what}" is not in the log: ${JSON.stringify(await run.entries())}`,
    })
  }
  return {
    ...given,
    until,
    kill: () => run.kill(),
    act: (command) => run.act(command),
    recorded: (path) => has(path, (entries) => outcomesOf(entries).includes(path)),
    logged: (kind) => has(kind, (entries) => entries.some((entry) => entry.kind === kind)),
  }
}

function outcomesOf(entries: readonly EntryFacts[]): readonly string[] {
  return entries.flatMap(({ kind, path }) => (outcomes.has(kind) && path !== undefined ? [path] : []))
}

/** What a step asks again after a kill is what it asked before it, under the same key. */
function expectRepeats(requests: readonly Effect[]): void {
  for (const { path, key, body } of requests) {
    const first = requests.find((one) => one.path === path)
    expect({ path, key, body }).toEqual(first)
  }
}

/** Readers are shown more and more of a text, and nothing of it twice. */
function expectText(texts: readonly string[], whole: string): void {
  for (const [index, text] of texts.entries())
    expect(text).toSatisfy((now: string) => now.startsWith(texts[index - 1] ?? ''))
  expect(texts.at(-1)).toBe(whole)
}

/** Patterns stand for texts that fit them. */
function patterns(value: unknown): unknown {
  if (value instanceof RegExp) return expect.stringMatching(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(patterns)
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, patterns(one)]))
}

function countBy(names: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...new Set(names)].map((name) => [name, names.filter((one) => one === name).length]),
  )
}

function pathOf(request: string, id: string): string {
  return `/effect/${id}.${encodeURIComponent(request)}`
}

function requestOf(path: string, id: string): string {
  return decodeURIComponent(path.slice(`/effect/${id}.`.length))
}

/** What the outside answers to a request: its name. */
export function answerTo({ path }: Effect): string {
  return decodeURIComponent(path.slice(path.indexOf('.') + 1))
}
