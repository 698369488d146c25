import { crashEverywhere, testRun } from '@waystone/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Desk } from './agent.ts'
import { replyTo } from './reply-to.ts'
import { scriptedModel } from './scripted-model.ts'

/** A world in which every call of the model and of a tool is counted. */
function world() {
  const calls: string[] = []
  const model = scriptedModel(
    ({ prompt }) => replyTo(prompt.filter(({ role }) => role === 'tool').length),
    () => calls.push('model'),
  )
  const desk: Desk = {
    weather: async (city) => (calls.push(`weather ${city}`), `sunny in ${city}`),
    sendMail: async ({ to }, key) => (calls.push(`mail ${to} ${key.slice(0, 8)}`), 'sent'),
  }
  return { calls, model, desk }
}

// The SDK takes times and makes ids of its own; none of them is kept.
const options = {
  globals: 'allow',
  answers: { 'approve m1': true },
  messages: { user: ['How is the weather?', 'bye'] },
} as const

describe('a chat through streamText', () => {
  it('streams, calls three tools at once, and sends the mail that a person approved', async () => {
    const { calls, ...use } = world()
    const { state, streams, asks } = await testRun(chat, { input: undefined, use, ...options })
    expect(calls.filter((call) => call === 'model')).toHaveLength(3)
    expect(asks.map(({ question }) => question)).toEqual([{ to: 'ann', text: 'Sun!' }])
    expect(state.messages.map(({ role }) => role)).toEqual([
      'user',
      ...['assistant', 'tool', 'assistant', 'tool', 'assistant'],
    ])
    expect(Object.values(streams).join('|')).toContain('It is sunny, and Ann knows.')
  })

  it('killed after every entry: no recorded call of the model or a tool happens again, one mail, equal messages', async () => {
    const { whole, kills } = await crashEverywhere(chat, {
      input: undefined,
      use: world,
      effects: ({ calls }) => calls.filter((call) => call.startsWith('mail')),
      ...options,
    })
    expect(kills.length).toBeGreaterThan(5)
    expect(whole.effects.map(({ started }) => started)).toEqual([1])
  })
})
