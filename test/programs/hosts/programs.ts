import { doneWith, type EngineCase, type Play } from '../../engine/engine-case.ts'
import { chat } from '../chat/agent.ts'
import { helpDesk } from '../openai-agents/agent.ts'

/** A request at which a host dies, before it is answered, and the calls beside it whose outcome is in the log by then. */
type Death = readonly [request: string, ...recorded: readonly string[]]

/** What is said to a program, and where its host dies, before its question and after it. */
interface Talk {
  readonly inbox: string
  readonly says: readonly [first: string, ...rest: readonly string[]]
  readonly before: readonly Death[]
  readonly after: readonly Death[]
}

/** Talks to a program and says yes to what it asks. Its host dies also while the question is open. */
async function talk(run: Play, { inbox, says: [first, ...rest], before, after }: Talk): Promise<void> {
  const held = new Map([...before, ...after].map(([request]) => [request, run.hold(request)]))
  const dieAt = async (deaths: readonly Death[]): Promise<void> => {
    for (const [request, ...recorded] of deaths) {
      await held.get(request)?.arrived
      for (const path of recorded) await run.recorded(path)
      await run.kill()
      held.get(request)?.release()
    }
  }
  await run.begin()
  await run.act({ do: 'send', name: inbox, value: first })
  await dieAt(before)
  await run.until(({ asks }) => asks.length === 1)
  await run.kill()
  await run.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
  await run.act({ do: 'answer', value: true, by: 'ana' })
  await dieAt(after)
  for (const value of rest) await run.act({ do: 'send', name: inbox, value })
}

const aiSdk: EngineCase = {
  name: 'a chat through streamText of AI SDK',
  agent: chat,
  play: (run) =>
    talk(run, {
      inbox: 'user',
      says: ['How is the weather?', 'bye'],
      before: [['model 0'], ['weather Rome', '0/answer/weather w0', '0/answer/weather w2'], ['model 1']],
      after: [['model 2']],
    }),
  end: {
    view: {
      ...doneWith(6),
      state: {
        messages: [
          { role: 'user', content: 'How is the weather?' },
          { role: 'assistant', content: ['Paris', 'Rome', 'Oslo'].map((city) => ({ input: { city } })) },
          {
            role: 'tool',
            content: ['Paris', 'Rome', 'Oslo'].map((city) => ({ output: { value: `weather ${city}` } })),
          },
          { role: 'assistant', content: [{ text: 'I will write.' }, { toolName: 'sendMail' }] },
          { role: 'tool', content: [{ output: { value: 'mail ann' } }] },
          { role: 'assistant', content: [{ text: 'It is sunny, and Ann knows.' }] },
        ],
      },
    },
    starts: {
      ...{ 'model 0': 2, 'model 1': 2, 'model 2': 2 },
      ...{ 'weather Paris': 1, 'weather Rome': 2, 'weather Oslo': 1, 'mail ann': 1 },
    },
  },
}

const openAiAgents: EngineCase = {
  name: 'an agent of OpenAI Agents',
  agent: helpDesk,
  input: { stream: true },
  play: (run) =>
    talk(run, {
      inbox: 'customer',
      says: ['My lamps came broken.', 'Thank you.', 'bye'],
      before: [['model 1'], ['find a', '0/answer/find find-b'], ['model 5']],
      after: [['model 8']],
    }),
  end: {
    view: { ...doneWith('It is settled.'), state: { answers: ['It is settled.', 'It is settled.'] } },
    starts: {
      ...{ 'model 1': 2, 'model 5': 2, 'model 8': 2, 'model 10': 1 },
      ...{ 'find a': 2, 'find b': 1, 'refund a': 1 },
    },
  },
}

/** Programs on libraries of others. Their agents are called by their own names. */
export const programs = [aiSdk, openAiAgents]
