import {
  encodeValue,
  WaystoneError,
  type Decision,
  type Entry,
  type OpenAsk,
  type RunHandle,
  type RunView,
} from '@waystone/core'
import type { TestAnswer, TestDecision, TestMessage, TestSettings } from './test-options.ts'

/** A function that has been refused this often will not find the answer. */
const refusalsMax = 10

/** What is said to runs of an agent. */
export type Said = Pick<TestSettings, 'answers' | 'messages' | 'decisions'>

/** Whoever answers, sends and decides: outside of the hosts, so that it outlives them. */
export class Person {
  readonly #answers: Readonly<Record<string, TestAnswer>>
  readonly #decisions: Readonly<Record<string, TestDecision>>
  readonly #otherwise: (path: string) => Decision | undefined
  readonly #messages: (TestMessage & { readonly id: string })[]
  readonly #tries = new Map<string, number>()
  /** The turns in which something was sent for the next `drain`. */
  readonly #steered = new Set<string>()

  /** `otherwise` decides about effects that nothing was said about. */
  constructor(said: Said, otherwise: (path: string) => Decision | undefined = () => undefined) {
    this.#answers = said.answers ?? {}
    this.#decisions = said.decisions ?? {}
    this.#otherwise = otherwise
    this.#messages = listed(said.messages ?? []).map((one, index) => ({
      ...one,
      id: `message-${String(index)}`,
    }))
  }

  /** The messages that no run has taken: nobody waited for them, nor was there a turn after a `drain` to send them in. */
  get unsent(): readonly TestMessage[] {
    return this.#messages.map(({ name, value }) => ({ name, value }))
  }

  /** Does one thing that the run waits for. False when there is nothing that this person can do. */
  async act(run: RunHandle, view: RunView): Promise<boolean> {
    if (view.status === 'paused') return this.#decide(run, view)
    if (await this.#steer(run, view)) return true
    for (const ask of view.asks) if (await this.#answer(run, ask)) return true
    for (const { waits } of view.live.calls) {
      if (waits?.for === 'message' && (await this.#send(run, waits.name))) return true
    }
    return false
  }

  async #answer(run: RunHandle, ask: OpenAsk): Promise<boolean> {
    const given = saidOf(this.#answers, ask.path)
    if (given === undefined) return false
    const idOf = (number: number): string => `answer-${ask.ask.slice(0, 16)}-${String(number)}`
    const tries = this.#tries.get(ask.ask) ?? 0
    const refused = refusedBy(run.entries(), idOf(tries - 1))
    // An answer that a killed host had not taken up is taken up by the next.
    const number = tries > 0 && refused === undefined ? tries - 1 : tries
    if (refused !== undefined && (typeof given !== 'function' || tries >= refusalsMax))
      throw answerRefused(ask.path, refused)
    const info = { path: ask.path, refusals: number, refused }
    const value: unknown = typeof given === 'function' ? await given(ask.question, info) : given
    if (value === undefined) return false
    this.#tries.set(ask.ask, number + 1)
    await run.answer(ask.ask, value, { id: idOf(number), by: 'test' })
    return true
  }

  /** Sends one message in each turn that waits for anything, for the next `drain`: of a name that nothing else takes. */
  async #steer(run: RunHandle, { turn, live }: RunView): Promise<boolean> {
    const here = `${run.id}/${String(turn)}`
    const message = this.#messages.find(({ name }) => isOnlyDrained(name, run.entries(), live.calls))
    if (message === undefined || this.#steered.has(here)) return false
    this.#steered.add(here)
    return this.#send(run, message.name)
  }

  async #send(run: RunHandle, name: string): Promise<boolean> {
    const at = this.#messages.findIndex((one) => one.name === name)
    const [message] = at < 0 ? [] : this.#messages.splice(at, 1)
    if (message === undefined) return false
    await run.send(message.name, message.value, { id: message.id, by: 'test' })
    return true
  }

  async #decide(run: RunHandle, { pause }: RunView): Promise<boolean> {
    const path = pause?.error.path
    const start = startOf(pause?.error.details)
    if (pause?.reason !== 'outcome' || path === undefined || start === undefined) return false
    const said = saidOf(this.#decisions, path)
    const decision = said === undefined ? this.#otherwise(path) : decisionOf(said)
    if (decision === undefined) return false
    await run.decide(start, decision, { id: `decision-${start.slice(0, 16)}`, by: 'test' })
    return true
  }
}

/** What was said by a whole path, or by the last name of it. */
function saidOf<Value>(said: Readonly<Record<string, Value>>, path: string): Value | undefined {
  // Names are the agent's: every object has a `constructor`.
  const key = [path, nameOf(path)].find((one) => Object.hasOwn(said, one))
  return key === undefined ? undefined : said[key]
}

/** The last name of a path, as the agent wrote it. */
function nameOf(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replaceAll('%2F', '/')
    .replaceAll('%25', '%')
}

function listed(messages: NonNullable<Said['messages']>): readonly TestMessage[] {
  if (isList(messages)) return messages
  return Object.entries(messages).flatMap(([name, values]) => values.map((value) => ({ name, value })))
}

function isList(messages: NonNullable<Said['messages']>): messages is readonly TestMessage[] {
  return Array.isArray(messages)
}

function refusedBy(entries: readonly Entry[], id: string): string | undefined {
  const entry = entries.find(({ kind, body }) => kind === 'refuse' && 'id' in body && body.id === id)
  return entry?.kind === 'refuse' ? entry.body.reason : undefined
}

function isOnlyDrained(name: string, entries: readonly Entry[], calls: RunView['live']['calls']): boolean {
  const takers = entries.flatMap(({ kind, body }) =>
    (kind === 'drain' || kind === 'receive') && 'name' in body && body.name === name ? [kind] : [],
  )
  const isAwaited = calls.some(({ waits }) => waits?.for === 'message' && waits.name === name)
  return takers.includes('drain') && !takers.includes('receive') && !isAwaited
}

function startOf(details: unknown): string | undefined {
  const start =
    typeof details === 'object' && details !== null && 'start' in details ? details.start : undefined
  return typeof start === 'string' ? start : undefined
}

function decisionOf(said: TestDecision): Decision {
  if (said === 'again') return { type: 'again' }
  if ('failed' in said) return { type: 'failed', message: said.failed }
  return { type: 'done', value: encodeValue(said.done, { where: 'the decision' }) }
}

function answerRefused(path: string, reason: string): WaystoneError {
  return new WaystoneError(
    'answer_refused',
    `the answer to "${path}" was refused by its schema: ${reason}. Give another in \`answers\``,
    { path },
  )
}
