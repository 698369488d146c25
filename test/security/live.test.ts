import { mintToken, operations } from '@waystone/access'
import { frameOf, limits, parseRunId, type RunId } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { openRawSocket, tokenProtocol, type RawSocket, type RawSocketOptions } from '../harness/raw-socket.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

const run = parseRunId('ana.trip')
const other = parseRunId('ana.other')
/** The longest that a timer can wait, in ms. */
const never = 2 ** 31 - 1
let world: SecurityWorld
beforeAll(async () => {
  world = await startSecurityWorld()
  await world.begin('acme', run)
  await world.begin('acme', other)
  await world.begin('globex', parseRunId('bob.trip'))
})
afterAll(() => world.close())

/** How a socket is opened: one of many runs unless it offers something else. */
interface Opening extends RawSocketOptions {
  readonly device?: string
  readonly of?: RunId
}

function open(token: string, opening: Opening = {}): RawSocket {
  const { device = 'guest', protocols = ['waystone.runs', 'waystone'], of = run, ...rest } = opening
  const url = `${world.edge.process.url}/v1/runs/${of}/live?device=${device}`
  return openRawSocket(url, { protocols: [...protocols, tokenProtocol(token)], ...rest })
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

  it('is not opened without the right to read this run', async () => {
    for (const grant of [{ operations: ['append'] as const }, { runs: [other] }])
      await expect(open(await world.token(grant)).opened).rejects.toThrow('not let in')
    await expect(open('nobody').opened).rejects.toThrow('not let in')
  })

  it('shows nothing of a run of the same name that another tenant has', async () => {
    const token = await world.token({ tenant: 'globex', runs: ['*'] })
    const socket = open(token)
    await socket.opened
    // Of these two the second is asked when the first has said what it has.
    socket.send(`1 follow ${run} 0`)
    socket.send('4 follow bob.trip 0')
    await socket.until((text) => text.startsWith('4 {"type":"lines"'))
    expect(socket.heard.filter((text) => text.includes('lines') && !text.startsWith('4 '))).toEqual([])
    const alone = open(token, { protocols: ['waystone'] })
    await alone.opened
    alone.send('ping')
    await alone.until((text) => text === 'pong')
    expect(alone.heard.filter((text) => text.includes('lines'))).toEqual([])
    for (const one of [socket, alone]) one.close()
  })

  it('lets in by the token that comes with each run, and by none that is over', async () => {
    const grant = { tenant: 'acme', subject: 'ana', runs: ['*'], operations }
    const token = await mintToken(world.key, grant, { lifetime: '3s' })
    const socket = open(token)
    await socket.until((text) => text.startsWith('0 {"type":"lines"'))
    let asked = 0
    const asking = setInterval(() => socket.send(`${String((asked += 1))} follow ${other} 0`), 500)
    await socket.until((text) => text.endsWith(' closed'))
    clearInterval(asking)
    socket.send(`1000 follow ${other} 0 ${await world.token()}`)
    await socket.until((text) => text.startsWith('1000 {"type":"lines"'))
    socket.send(`1001 follow ${other} 0 ${token}`)
    await socket.until((text) => text === '1001 closed')
    const owner = open(await world.token(), { device: laptop })
    await owner.until((text) => text.startsWith('0 {"type":"lines"'))
    owner.send(`0 ${frameOf({ type: 'live', live: { phase: 'running', calls: [] } })}`)
    await socket.until((text) => text === '0 closed')
    for (const one of [owner, socket]) one.close()
  })

  it('by a link follows that run alone, until the link is taken back', async () => {
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
    await socket.until((text) => text === '0 closed')
    socket.send(`2 follow ${run} 0`)
    await socket.until((text) => text === '2 closed')
    socket.close()
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
    // A number that was used is nobody's any more.
    socket.send(`7 follow ${run} 0`)
    socket.send(`201 follow ${run} 0`)
    await socket.until((text) => text === '201 open')
    expect(socket.heard.filter((text) => text === '7 open')).toHaveLength(1)
    socket.close()
  })

  it('of who reads slowly brings one run after the other, and lets go of none', async () => {
    const slow = parseRunId('ana.slow')
    await world.begin('acme', slow)
    const owner = open(await world.token(), { device: laptop, protocols: ['waystone'], of: slow })
    await owner.until((text) => text.includes('"lines"'))
    owner.send(frameOf({ type: 'stream', stream: '0/speech', at: 0, text: 'x'.repeat(1_500_000) }))
    const reader = open(await world.token(), { marksAfterMs: 20, of: slow })
    await reader.opened
    for (let at = 1; at < 30; at += 1) reader.send(`${String(at)} follow ${slow} 0`)
    for (let at = 0; at < 30; at += 1)
      await reader.until((text) => text.startsWith(`${String(at)} {"type":"stream"`))
    expect(reader.heard.filter((text) => text.endsWith(' closed'))).toEqual([])
    for (const socket of [owner, reader]) socket.close()
  })

  it('ends for who does not read, and for nobody else', async () => {
    const owner = open(await world.token(), { device: laptop, protocols: ['waystone'] })
    const idle = open(await world.token(), { marksAfterMs: never })
    const reader = open(await world.token(), { device: 'reader' })
    for (const socket of [owner, idle, reader]) await socket.until((message) => message.includes('"lines"'))
    const before = world.edge.process.memory()
    for (let at = 0; at < 30; at += 1) {
      owner.send(speech(`take ${String(at)}`))
      await reader.until((message) => message.includes(`take ${String(at)} `))
    }
    expect((await idle.closed)[0]).toBe(1013)
    expect(idle.heard.filter((message) => message.includes('take ')).length).toBeLessThan(15)
    expect(world.edge.process.memory() - before).toBeLessThan(128 * 1024 * 1024)
    for (const socket of [owner, reader]) socket.close()
  })
})

describe('a socket of one run', () => {
  it('is sent so much and no more, since nobody knows what of it was read, while one of many runs goes on', async () => {
    const owner = open(await world.token(), { device: laptop, protocols: ['waystone'] })
    const plain = open(await world.token(), { device: 'plain', protocols: ['waystone'] })
    const reader = open(await world.token(), { device: 'reader' })
    for (const socket of [owner, plain, reader]) await socket.until((message) => message.includes('"lines"'))
    for (let at = 0; at < 30; at += 1) {
      owner.send(speech(`again ${String(at)}`))
      await reader.until((message) => message.includes(`again ${String(at)} `))
    }
    expect((await plain.closed)[0]).toBe(1013)
    const heard = plain.heard.reduce((sum, text) => sum + text.length, 0)
    expect(heard).toBeGreaterThan(20_000_000)
    expect(heard).toBeLessThan(25_000_000)
    for (const socket of [owner, reader]) socket.close()
  })
})

describe('the sockets of a run', () => {
  it('are at most 500, and there is room again when one is closed', async () => {
    const crowded = parseRunId('ana.crowded')
    await world.begin('acme', crowded)
    const token = await world.token()
    const another = (): RawSocket => open(token, { protocols: ['waystone'], of: crowded })
    const sockets: RawSocket[] = []
    for (let count = 0; count < 500; count += 50) {
      const some = Array.from({ length: 50 }, another)
      await Promise.all(some.map(({ opened }) => opened))
      sockets.push(...some)
    }
    await expect(another().opened).rejects.toThrow('not let in')
    sockets[0]?.close()
    await poll(() => another().opened.catch(() => undefined), {
      timeoutMs: 20_000,
      message: () => 'there is no room although a socket was closed',
    })
    for (const socket of sockets) socket.close()
  })
})

describe('text that a device tells of a run', () => {
  it('is kept up to a bound, and followers are told it in pieces that they can take', async () => {
    const wordy = parseRunId('ana.wordy')
    await world.begin('acme', wordy)
    const owner = open(await world.token(), { device: laptop, of: wordy, protocols: ['waystone'] })
    const witness = open(await world.token(), { device: 'witness', of: wordy })
    for (const socket of [owner, witness]) await socket.until((message) => message.includes('"lines"'))
    const told = async (path: string): Promise<void> => {
      const call = { path, kind: 'stream', since: 0 }
      owner.send(frameOf({ type: 'live', live: { phase: 'running', calls: [call] } }))
      await witness.until((message) => message.includes(path))
    }
    for (let stream = 0; stream < 20; stream += 1) {
      owner.send(speech('words', `0/say-${String(stream)}`))
      await told(`0/said-${String(stream)}`)
    }
    const beyond = { type: 'stream', stream: '0/say-0', at: limits.streamCharsMax, text: 'x' } as const
    owner.send(frameOf(beyond))
    await told('0/said-all')
    const late = open(await world.token(), { device: 'late', of: wordy })
    await late.until((message) => message.includes('0/said-all'))
    const pieces = late.heard.filter((text) => text.startsWith('0 {"type":"stream"'))
    const chars = pieces.reduce((sum, text) => sum + text.length, 0)
    expect(chars).toBeGreaterThan(limits.liveTextCharsMax / 2)
    expect(chars).toBeLessThan(limits.liveTextCharsMax)
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(limits.frameCharsMax)
    for (const socket of [owner, witness, late]) socket.close()
  })
})

/** A million characters of a stream, which take the place of those before. */
function speech(begin: string, stream = '0/speech'): string {
  return frameOf({ type: 'stream', stream, at: 0, text: `${begin} ${'x'.repeat(1_000_000)}` })
}
