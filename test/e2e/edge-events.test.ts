import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream, type EventStream, type StreamEvent } from '../harness/event-stream.ts'
import { poll } from '../harness/poll.ts'
import { questioner, sleeper, speaker } from './app/edge-agents.ts'
import { pushedBy, pushRun } from './pushed-run.ts'
import { startWorld, type World } from './world.ts'

/** What a client has when it follows the rules: text is added, a reset takes back. */
function heard(events: readonly StreamEvent[]): string {
  let text = ''
  for (const { event, data } of events) {
    if (event === 'reset') text = ''
    if (event !== 'text') continue
    const chunk = JSON.parse(data) as { at: number; text: string }
    text += chunk.at === text.length ? chunk.text : `[text for ${String(chunk.at)} at ${String(text.length)}]`
  }
  return text
}

const kinds = (events: readonly StreamEvent[]): readonly string[] =>
  events.flatMap(({ event, data }) =>
    event === 'entry' ? [(JSON.parse(data) as { kind: string }).kind] : [],
  )
const seqs = (events: readonly StreamEvent[]): readonly number[] =>
  events.flatMap(({ event, data }) => (event === 'entry' ? [(JSON.parse(data) as { seq: number }).seq] : []))
const dataOf = (event: StreamEvent | undefined): Record<string, unknown> =>
  JSON.parse(event?.data ?? '{}') as Record<string, unknown>

describe('a run followed with plain HTTP', () => {
  let world: World
  const opened: EventStream[] = []
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(async () => {
    for (const stream of opened) stream.leave()
    await world.close()
  })

  const follow = async (run: string, after?: string, query = ''): Promise<EventStream> => {
    const headers = { ...world.headers, ...(after === undefined ? {} : { 'last-event-id': after }) }
    const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events${query}`, headers)
    opened.push(stream)
    return stream
  }
  const start = (run: string, parts: readonly string[]): Promise<void> =>
    pushRun(world, run, speaker, { server: world.effects.url, run, parts })
  /** Waits until a client that had `before` has this much of the text. */
  const untilHeard = (stream: EventStream, text: string, before: readonly StreamEvent[] = []) =>
    stream.until(() => heard([...before, ...stream.events()]) === text)

  it('tells the entries in order, the text once and before its outcome, and the end, and closes', async () => {
    const first = world.effects.hold('/effect/whole-0')
    await start('whole', ['some words ', 'and more'])
    const stream = await follow('whole')
    expect([stream.status, stream.type]).toEqual([200, 'text/event-stream'])
    await untilHeard(stream, 'some words ')
    await stream.until(({ event, data }) => event === 'view' && data.includes('"status":"running"'))
    first.release()
    await stream.closed
    const events = stream.events()
    expect(heard(events)).toBe('some words and more')
    expect(kinds(events)).toEqual(['start', 'claim', 'turn', 'step', 'commit'])
    expect(seqs(events)).toEqual([0, 1, 2, 3, 4])
    const outcome = events.findIndex(({ data }) => data.includes('"kind":"step"'))
    expect(dataOf(events[outcome])).toMatchObject({ path: '0/speech', chars: 'some words and more'.length })
    expect(events.findLastIndex(({ event }) => event === 'text')).toBeLessThan(outcome)
    expect(events.at(-1)?.event).toBe('end')
    expect(dataOf(events.at(-1))).toEqual({ status: 'done', result: 'some words and more' })
    expect(dataOf(events.findLast(({ event }) => event === 'view'))).toMatchObject({
      status: 'done',
      head: 4,
    })
  })

  it('goes on after any event, in the middle of a stream too, and tells each character once', async () => {
    const parts = ['one two ', 'three four ', 'five six ', 'seven']
    const holds = parts.map((_, number) => world.effects.hold(`/effect/again-${String(number)}`))
    await start('again', parts)
    const all: StreamEvent[] = []
    for (const [number, hold] of holds.entries()) {
      const stream = await follow('again', all.at(-1)?.id)
      await untilHeard(stream, parts.slice(0, number + 1).join(''), all)
      // Every other time the last event is lost on its way.
      all.push(...stream.events().slice(0, number % 2 === 0 ? undefined : -1))
      stream.leave()
      // The run goes on with nobody there.
      hold.release()
      await holds[number + 1]?.arrived
    }
    const stream = await follow('again', all.at(-1)?.id)
    await stream.closed
    all.push(...stream.events())
    expect(heard(all)).toBe(parts.join(''))
    expect(seqs(all)).toEqual([0, 1, 2, 3, 4])
    expect(all.filter(({ event }) => event === 'reset')).toEqual([])
  })

  it('says when a stream takes its text back, to those who were away too', async () => {
    const parts = ['a wrong start', '<', 'the right words, longer than what was wrong']
    const holds = parts.map((_, number) => world.effects.hold(`/effect/taken-${String(number)}`))
    await start('taken', parts)
    const there = await follow('taken')
    await untilHeard(there, 'a wrong start')
    const away = there.events().at(-1)?.id
    const before = [...there.events()]
    holds[0]?.release()
    await untilHeard(there, '')
    holds[1]?.release()
    await holds[2]?.arrived
    const back = await follow('taken', away)
    await untilHeard(back, parts[2] as string, before)
    holds[2]?.release()
    await Promise.all([there.closed, back.closed])
    for (const events of [there.events(), [...before, ...back.events()]]) {
      expect(heard(events)).toBe(parts[2])
      expect(events.filter(({ event }) => event === 'reset')).toHaveLength(1)
    }
  })

  it('goes on where it was after the edge was killed', async () => {
    const parts = ['said before ', 'said after']
    const holds = parts.map((_, number) => world.effects.hold(`/effect/killed-${String(number)}`))
    await start('killed', parts)
    const before = await follow('killed')
    await untilHeard(before, parts[0] as string)
    const all = [...before.events()]
    await world.killEdge()
    holds[0]?.drop()
    await world.startEdge()
    await holds[1]?.arrived
    const after = await follow('killed', all.at(-1)?.id)
    await untilHeard(after, parts.join(''), all)
    holds[1]?.release()
    await after.closed
    expect(heard([...all, ...after.events()])).toBe(parts.join(''))
    expect(seqs([...all, ...after.events()])).toEqual([0, 1, 2, 3, 4])
  })

  it('shows an open question, by the name that an answer gives', async () => {
    await pushRun(world, 'asked', questioner, {})
    const stream = await follow('asked')
    const waits = await stream.until(
      ({ event, data }) => event === 'view' && data.includes('"status":"waiting"') && data.includes('colour'),
    )
    const [ask] = dataOf(waits)['asks'] as readonly { ask: string; path: string; question: unknown }[]
    expect(ask).toMatchObject({ path: '0/colour', question: 'Which colour?' })
    const answer = { type: 'answer', id: 'i', by: 'somebody', time: 1, ask: ask?.ask, value: 'green' }
    const sent = await fetch(`${world.edge().url}/v1/runs/asked/inbox`, {
      method: 'POST',
      headers: world.headers,
      body: JSON.stringify(answer),
    })
    expect(sent.status).toBe(204)
    await stream.closed
    expect(dataOf(stream.events().at(-1))).toEqual({ status: 'done', result: 'green' })
    expect(dataOf(stream.events().findLast(({ event }) => event === 'view'))['asks']).toEqual([])
  })

  it('answers a client that comes back after the end with nothing, so that it stays away', async () => {
    await start('over', ['short'])
    const stream = await follow('over')
    await stream.closed
    const events = stream.events()
    expect((await follow('over', events.at(-1)?.id)).status).toBe(204)
    const late = await follow('over', events.at(-2)?.id)
    await late.closed
    expect(late.events().map(({ event }) => event)).toEqual(['view', 'end'])
  })

  it('tells text that a device says over its socket, more than one row can hold too', async () => {
    await pushRun(world, 'spoken', speaker, {}, { whenGone: 'offer' })
    const token = btoa(world.headers['authorization']?.slice('Bearer '.length) ?? '').replaceAll('=', '')
    const url = `${world.edge().url.replace('http', 'ws')}/v1/runs/spoken/live?device=${pushedBy}&from=0`
    const socket = new WebSocket(url, ['waystone', `token.${token}`])
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    const say = (at: number, text: string): void =>
      socket.send(JSON.stringify({ type: 'stream', stream: '0/speech', at, text }))
    const stream = await follow('spoken')
    const long = '\u20ac'.repeat(1_500_000)
    say(0, long)
    await untilHeard(stream, long)
    // A device that moves its run away tells the whole text again, which is no other text.
    say(0, `${long} and more`)
    await untilHeard(stream, `${long} and more`)
    expect(stream.events().filter(({ event }) => event === 'reset')).toEqual([])
    say(0, 'something else')
    await untilHeard(stream, 'something else')
    expect(stream.events().filter(({ event }) => event === 'reset')).toHaveLength(1)
    socket.close()
  })

  it('tells entries from where it is asked to', async () => {
    await start('later', ['short'])
    await (
      await follow('later')
    ).closed
    const stream = await follow('later', undefined, '?from=3')
    await stream.closed
    expect(seqs(stream.events())).toEqual([3, 4])
  })

  it('sends a comment while nothing happens, and ends for nobody else when a client leaves', async () => {
    await pushRun(world, 'quiet', questioner, {})
    const [stays, leaves] = [await follow('quiet'), await follow('quiet')]
    await stays.until(({ data }) => data.includes('"status":"waiting"'))
    leaves.leave()
    expect((await stays.until(({ event }) => event === 'comment')).data).toBe('keep-alive')
  })

  it('has a bounded number of clients of a run, and room again when they leave', async () => {
    await pushRun(world, 'crowded', sleeper, { server: world.effects.url, run: 'crowded', ms: 3_600_000 })
    const streams: EventStream[] = []
    for (let number = 0; number < 32; number += 1) streams.push(await follow('crowded'))
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200))
    const refused = await follow('crowded')
    expect(refused.status).toBe(429)
    for (const stream of streams) stream.leave()
    // Who has gone is found when two comments could not be told, 15 s apart.
    await poll(async () => ((await follow('crowded')).status === 200 ? true : undefined), {
      timeoutMs: 60_000,
      message: () => 'there was no room again',
    })
  })

  it('lets nobody in without the token, wherever it stands in the address', async () => {
    const url = `${world.edge().url}/v1/runs/whole/events`
    const token = encodeURIComponent(world.headers['authorization']?.slice('Bearer '.length) ?? '')
    for (const [query, headers] of [
      ['', {}],
      ['', { authorization: 'Bearer wrong' }],
      [`?token=${token}`, {}],
    ] as const) {
      const response = await fetch(`${url}${query}`, { headers })
      expect([response.status, await response.json()]).toEqual([
        401,
        expect.objectContaining({ code: 'unauthorized' }),
      ])
    }
  })

  it('refuses an id that is no event of the run, and a run that is not there', async () => {
    for (const id of ['x', '1;speech', '1;speech=1', '1;%zz=1.1', '-2', '999999', '1;end;end']) {
      const stream = await follow('whole', id)
      expect([id, stream.status]).toEqual([id, 400])
    }
    expect((await follow('nowhere')).status).toBe(404)
  })
})
