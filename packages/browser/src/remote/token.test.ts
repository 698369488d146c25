import { parseRunId } from '@waystone/core'
import { expect, it } from 'vitest'
import { edgeHttp } from './edge-http.ts'
import { LiveSockets } from './live-sockets.ts'

/** Nothing answers there. */
const url = 'http://127.0.0.1:1'

it('a request whose token never settles is given up in its time, and the next asks for a token again', async () => {
  let asked = 0
  const token = (): Promise<string> => {
    asked += 1
    return new Promise(() => undefined)
  }
  const ask = edgeHttp({ url, token }, 'laptop')
  for (const count of [1, 2]) {
    await expect(ask('/v1/runs', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'unreachable' })
    expect(asked).toBe(count)
  }
})

it('a socket whose token never settles is given up in the time that it has to open', async () => {
  const sockets = new LiveSockets({ url, token: () => new Promise(() => undefined) }, 'laptop', 20)
  const subscriber = {
    run: parseRunId('ana.trip'),
    from: () => 0,
    onOpen: () => undefined,
    onFrame: () => undefined,
    signal: new AbortController().signal,
  }
  await expect(sockets.subscribe(subscriber)).rejects.toMatchObject({ code: 'unreachable' })
})
