import { mintToken, operations } from '@waystone/access'
import { frameOf, parseRunId } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.trip')
const other = parseRunId('ana.other')
let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld()
  await world.begin('acme', run)
  await world.begin('acme', other)
  await world.begin('globex', parseRunId('bob.trip'))
})
afterAll(() => world.close())

/** A socket as its bytes come: of many runs unless it offers something else. */
interface RawSocket {
  /** Resolves with the protocol; rejects when the edge does not let it in. */
  readonly opened: Promise<string>
  /** The code that it was ended with. */
  readonly closed: Promise<number>
  readonly heard: readonly string[]
  /** Resolves with the first message that fits, of those that came already too. */
  until(fits: (text: string) => boolean): Promise<string>
  send(text: string): void
  close(): void
}

function open(
  token: string,
  { device = 'guest', protocols = ['waystone.runs', 'waystone'], of = String(run) } = {},
): RawSocket {
  const url = `${world.edge.process.url.replace('http', 'ws')}/v1/runs/${of}/live?device=${device}`
  const socket = new WebSocket(url, [...protocols, `token.${Buffer.from(token).toString('base64url')}`])
  const heard: string[] = []
  const waiting = new Set<() => void>()
  socket.addEventListener('message', ({ data }) => {
    heard.push(String(data))
    for (const look of waiting) look()
  })
  return {
    opened: new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(socket.protocol))
      socket.addEventListener('error', () => reject(new Error('not let in')))
    }),
    closed: new Promise((resolve) => socket.addEventListener('close', ({ code }) => resolve(code))),
    heard,
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = heard.find(fits)
          if (found !== undefined) resolve(found)
        }
        waiting.add(look)
        look()
      }),
    send: (text) => socket.send(text),
    close: () => socket.close(),
  }
}

describe('a socket of many runs', () => {
  it('is open to each of them only for who may read it', async () => {
    const socket = open(await world.token({ subject: 'guest', runs: [run], operations: ['read'] }))
    expect(await socket.opened).toBe('waystone.runs')
    await socket.until((text) => text.startsWith('0 {"type":"lines"'))
    const refused = [
      other,
      'bob.trip',
      'nowhere',
      '../runs/ana.other',
      'ana.other?x=',
      '%61na.other',
      '.',
      '..',
    ]
    for (const [at, name] of refused.entries()) socket.send(`${String(at + 1)} follow ${name} 0`)
    for (const at of refused.keys()) await socket.until((text) => text === `${String(at + 1)} closed`)
    expect(socket.heard.filter((text) => !text.startsWith('0 ') && !text.endsWith(' closed'))).toEqual([])
    socket.close()
  })

  it('is not opened without the right to read, whatever the token is for', async () => {
    for (const grant of [
      { operations: ['append'] as const },
      { runs: [other] },
      { tenant: 'globex', runs: [run] },
    ]) {
      const socket = open(await world.token({ ...grant }), { of: run })
      if (grant.tenant === undefined) await expect(socket.opened).rejects.toThrow('not let in')
      // There is no such run of that tenant: nothing of this one comes.
      else
        await socket.opened.then(
          () => expect(socket.heard).toEqual([]),
          () => undefined,
        )
      socket.close()
    }
  })

  it('ends with its token: who comes back needs a new one', async () => {
    const grant = { tenant: 'acme', subject: 'ana', runs: ['*'], operations }
    const token = await mintToken(world.key, grant, { lifetime: '3s' })
    const socket = open(token)
    await socket.until((text) => text.startsWith('0 {"type":"lines"'))
    let subscription = 0
    const asking = setInterval(() => socket.send(`${String((subscription += 1))} follow ${other} 0`), 500)
    expect(await socket.closed).toBe(1008)
    clearInterval(asking)
    await expect(open(token).opened).rejects.toThrow('not let in')
  })

  it('by a link ends when the link is taken back', async () => {
    const made = await world.ask(`/v1/runs/${run}/links`, await world.token(), {
      method: 'POST',
      body: JSON.stringify({ use: 'read' }),
    })
    const link = JSON.parse(made.text) as { id: string; token: string }
    const socket = open(link.token)
    await socket.until((text) => text.startsWith('0 {"type":"lines"'))
    socket.send(`1 follow ${other} 0`)
    await socket.until((text) => text === '1 closed')
    await world.ask(`/v1/runs/${run}/links/${link.id}`, await world.token(), { method: 'DELETE' })
    expect(await socket.closed).toBe(1008)
  })

  it('follows at most 200 at a time, and others when it has left some', async () => {
    const socket = open(await world.token())
    await socket.opened
    for (let subscription = 1; subscription <= 200; subscription += 1)
      socket.send(`${String(subscription)} follow ${run} 0`)
    for (let subscription = 1; subscription < 200; subscription += 1)
      await socket.until((text) => text === `${String(subscription)} open`)
    await socket.until((text) => text === '200 closed')
    socket.send('7 leave')
    socket.send(`201 follow ${run} 0`)
    await socket.until((text) => text === '201 open')
    socket.close()
  })

  it('ends for who does not read, and for nobody else', async () => {
    const text = 'x'.repeat(1_000_000)
    const owner = open(await world.token(), { device: laptop, protocols: ['waystone'] })
    const [idle, reader] = [open(await world.token()), open(await world.token(), { device: 'reader' })]
    for (const socket of [owner, idle, reader]) await socket.until((message) => message.includes('"lines"'))
    const before = world.edge.process.memory()
    for (let at = 0; at < 30; at += 1) {
      owner.send(frameOf({ type: 'stream', stream: `0/speech-${String(at)}`, at: 0, text }))
      const frame = await reader.until((message) => message.includes(`speech-${String(at)}"`))
      reader.send(`read ${String(frame.length)}`)
    }
    expect(await idle.closed).toBe(1013)
    expect(idle.heard.filter((message) => message.includes('speech-')).length).toBeLessThan(9)
    expect(world.edge.process.memory() - before).toBeLessThan(128 * 1024 * 1024)
    for (const socket of [owner, reader]) socket.close()
  })
})
