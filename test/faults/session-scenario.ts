import { openSession, type Session } from '@waystone/core/session'
import type { FaultHost } from './fault-world.ts'
import type { Scenario } from './scenario.ts'

interface Notes {
  words: string[]
}

const words = ['one', 'two', 'three', 'four']

function open(host: FaultHost, id: string): Promise<Session<Notes>> {
  return host.insist(() =>
    openSession<Notes>({
      storage: host.storage,
      id,
      initial: () => ({ words: [] }),
      me: 'laptop',
      clock: host.clock,
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      locks: host.locks,
      ...(host.edge ? { edge: host.edge } : {}),
    }),
  )
}

/** What a person does with a session, who looks what is there before doing it again. */
async function play(host: FaultHost): Promise<void> {
  const session = await open(host, 'notes')
  for (const [index, word] of words.entries()) {
    const key = `key-${String(index)}`
    await host.insist(async () => {
      if (!session.state.words.includes(word)) await session.update((draft) => void draft.words.push(word))
    })
    await host.insist(async () => {
      if ((await session.get(key)) === undefined) await session.put(key, { word })
    })
    if (index === 1 && !(await isLabelled(host, session))) await host.insist(() => session.label('half'))
  }
  await host.insist(async () => {
    if (!session.state.words.includes('saved')) await session.save({ words: [...words, 'saved'] })
  })
  const fork = await host.insist(() => session.fork({ id: 'fork-of-notes' }))
  await host.insist(async () => {
    if (!fork.state.words.includes('forked')) await fork.update((draft) => void draft.words.push('forked'))
  })
  await host.insist(() => fork.close())
  await host.insist(() => session.close())
}

async function isLabelled(host: FaultHost, session: Session<Notes>): Promise<boolean> {
  const list = await host.insist(() => session.list())
  return list.some(({ label }) => label === 'half')
}

async function check(host: FaultHost): Promise<void> {
  const session = await open(host, 'notes')
  expectWords(session.state, [...words, 'saved'])
  for (const [index, word] of words.entries()) {
    const found = await host.insist(() => session.get(`key-${String(index)}`))
    if ((found as { readonly word?: string } | undefined)?.word !== word)
      throw new Error(`the record of ${word} is ${JSON.stringify(found)}`)
  }
  await host.insist(() => session.close())
  const fork = await open(host, 'fork-of-notes')
  expectWords(fork.state, [...words, 'saved', 'forked'])
  await host.insist(() => fork.close())
}

function expectWords(state: Notes, expected: readonly string[]): void {
  const found = state.words.join(' ')
  if (found !== expected.join(' ')) throw new Error(`expected ${expected.join(' ')}, found ${found}`)
}

/** A session that is updated, saved and forked. */
export const sessionScenario: Scenario = {
  name: 'a session: update, put, label, save, fork',
  edge: false,
  agents: () => [],
  play,
  check: (_, host) => check(host),
}

/** The same, synced. */
export const syncedSessionScenario: Scenario = { ...sessionScenario, name: 'a synced session', edge: true }
