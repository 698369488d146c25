import { chat } from '../chat/agent.ts'
import { replyTo } from '../chat/reply-to.ts'
import { scriptedModel } from '../chat/scripted-model.ts'
import { askServiceAt } from './ask-service.ts'

/** The chat with a model and a desk that ask a service for everything they do. */
export function servedChat(service: string): ReturnType<typeof chat.provide> {
  const ask = askServiceAt(service, chat.name)
  const answers = ({ prompt }: Parameters<ReturnType<typeof scriptedModel>['doStream']>[0]): number =>
    prompt.filter(({ role }) => role === 'tool').length
  const scripted = scriptedModel((options) => replyTo(answers(options)))
  return chat.provide({
    model: {
      ...scripted,
      async doStream(options) {
        await ask(`model ${String(answers(options))}`, options.prompt, options.abortSignal)
        return scripted.doStream(options)
      },
    },
    desk: {
      weather: (city) => ask(`weather ${city}`),
      sendMail: (mail, key) => ask(`mail ${mail.to}`, { mail, key }),
    },
  })
}
