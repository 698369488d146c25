import type { ModelRequest } from '@openai/agents-core'
import { assistantMessage, functionCall } from '@openai/agents-core/testing'

/** Looks up two orders at once, then wants to pay one back, then says what came of it. */
export function replyTo({ input }: Readonly<ModelRequest>) {
  const results = Array.isArray(input)
    ? input.filter(({ type }) => type === 'function_call_result').length
    : 0
  if (results === 0)
    return ['a', 'b'].map((order) => functionCall('find_order', { order }, { callId: `find-${order}` }))
  if (results === 2)
    return [
      assistantMessage('I will pay the lamp back.'),
      functionCall('refund', { order: 'a', cents: 4_900 }, { callId: 'refund-a' }),
    ]
  return [assistantMessage(results === 3 ? 'It is settled.' : 'What?')]
}
