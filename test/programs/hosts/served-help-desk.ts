import type { ModelRequest } from '@openai/agents-core'
import { helpDesk } from '../openai-agents/agent.ts'
import { replyTo } from '../openai-agents/reply-to.ts'
import { scriptedModel } from '../openai-agents/scripted-model.ts'
import { askServiceAt } from './ask-service.ts'

/** The help desk with a model and a shop that ask a service for everything they do. */
export function servedHelpDesk(service: string): ReturnType<typeof helpDesk.provide> {
  const ask = askServiceAt(service, helpDesk.name)
  const scripted = scriptedModel(replyTo, () => undefined)
  const asked = ({ input, signal }: ModelRequest): Promise<string> =>
    ask(`model ${String(input.length)}`, input, signal)
  return helpDesk.provide({
    model: {
      async getResponse(request) {
        await asked(request)
        return scripted.getResponse(request)
      },
      async *getStreamedResponse(request) {
        await asked(request)
        yield* scripted.getStreamedResponse(request)
      },
    },
    shop: {
      findOrder: async (order) => ({ item: await ask(`find ${order}`), cents: 4_900 }),
      refund: (order, cents, key) => ask(`refund ${order}`, { cents, key }),
    },
  })
}
