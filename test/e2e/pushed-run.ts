import {
  encodeValue,
  parseDigest,
  parseOwnerId,
  parseRunId,
  sealEntry,
  type AnyAgent,
  type Budget,
} from '@waystone/core'
import type { World } from './world.ts'

/** The device that pushed. */
export const pushedBy = parseOwnerId('gone')

/**
 * A run of a device that sent its first entry and went away: once its short lease is over the edge takes the run over,
 * with no browser in the test; unless it is only offered.
 */
export async function pushRun(
  world: Pick<World, 'edge' | 'headers'>,
  run: string,
  agent: AnyAgent,
  input: object,
  {
    whenGone = 'edge',
    budget,
    leaseMs = 200,
  }: {
    readonly whenGone?: 'edge' | 'offer'
    readonly budget?: Budget
    readonly leaseMs?: number
  } = {},
): Promise<void> {
  const state = encodeValue(agent.initial(input as never))
  const { line } = sealEntry(
    {
      kind: 'start',
      body: {
        agent: agent.name,
        version: 1,
        config: parseDigest('0'.repeat(64)),
        input: encodeValue(input),
        place: 'browser',
        whenGone,
        ...(budget ? { budget } : {}),
        leaseMs,
        nonce: 'n',
        sdk: '0',
        state,
      },
    },
    { run: parseRunId(run), seq: 0, prev: null, epoch: 0, term: 1, owner: pushedBy, time: 1 },
  )
  const response = await fetch(`${world.edge().url}/v1/runs/${run}/entries`, {
    method: 'POST',
    headers: { ...world.headers, 'waystone-base': 'none', 'waystone-device': pushedBy },
    body: `${new TextDecoder().decode(line)}\n`,
  })
  if (!response.ok) throw new Error(`the push of ${run} was refused: ${await response.text()}`)
}
