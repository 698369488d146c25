import type { StepTools } from '@waystone/core'
import type { Desk } from './agent.ts'

/** A desk whose every task is one request to a service, which tells a repetition by its key. */
export function httpDesk(service: string): Desk {
  const ask = async (task: string, body: string, tools: StepTools): Promise<string> => {
    const response = await fetch(`${service}/effect/${encodeURIComponent(task)}`, {
      method: 'POST',
      headers: { 'idempotency-key': tools.idempotencyKey },
      body,
      signal: tools.signal,
    })
    if (!response.ok) throw new Error(`${task}: the service answered ${String(response.status)}`)
    const { answer } = (await response.json()) as { readonly answer: string }
    return answer
  }
  return { read: ask, think: ask }
}
