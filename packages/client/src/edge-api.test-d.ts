import { describe, expectTypeOf, it } from 'vitest'
import type { Schemas } from './call.ts'
import type { EdgeApi } from './edge-api.ts'

/** What must compile, and (`@ts-expect-error`) what must not. `tsc` is the judge; nothing here runs. */
declare const edge: EdgeApi
declare const device: EdgeApi<'waystone-device'>

const params = { path: { run: 'ana.trip' } } as const
const digest = '0'.repeat(64)

describe('types of calls', () => {
  it('give what a route gives, by its media type', async () => {
    const { asks } = await edge.get('/v1/runs/{run}/asks', { params })
    expectTypeOf(asks[0]?.ask).toEqualTypeOf<string | undefined>()
    expectTypeOf(asks[0]?.question).toEqualTypeOf<unknown>()
    const link = await edge.post('/v1/runs/{run}/links', { params, body: { use: 'answer', ms: 60_000 } })
    expectTypeOf(link).toEqualTypeOf<Schemas['LinkMade']>()
    const lines = await device.get('/v1/runs/{run}/entries', { params: { ...params, query: { from: 0 } } })
    expectTypeOf(lines).toEqualTypeOf<string>()
    const blob = { params: { path: { ...params.path, hash: digest } } }
    expectTypeOf(await edge.get('/v1/runs/{run}/blobs/{hash}', blob)).toEqualTypeOf<Uint8Array<ArrayBuffer>>()
    const body = new Uint8Array(1)
    expectTypeOf(await edge.put('/v1/runs/{run}/blobs/{hash}', { ...blob, body })).toEqualTypeOf<undefined>()
    expectTypeOf(await edge.get('/v1/runs/{run}/events', { params })).toEqualTypeOf<
      ReadableStream<Uint8Array<ArrayBuffer>> | undefined
    >()
    expectTypeOf(await edge.get('/v1/health')).toEqualTypeOf<{ readonly ok: true }>()
    const pushed = await device.post('/v1/runs/{run}/entries', {
      params: { ...params, header: { 'waystone-base': 'none' } },
      body: lines,
    })
    if (!pushed.ok && pushed.code === 'blob_missing')
      expectTypeOf(pushed.hashes).toEqualTypeOf<readonly string[]>()
  })

  it('refuse a route that is none, or has another method', async () => {
    // @ts-expect-error there is no such route
    await edge.get('/v1/runs/{run}/questions', { params })
    // @ts-expect-error a path is not filled in by hand
    await edge.get('/v1/runs/ana.trip/asks')
    // @ts-expect-error nothing is deleted here
    await edge.delete('/v1/runs/{run}/asks', { params })
    // @ts-expect-error a WebSocket is no call
    await edge.get('/v1/runs/{run}/live', { params: { ...params, query: { device: 'laptop' } } })
  })

  it('refuse a call without a parameter that is needed, or with one that there is not', async () => {
    // @ts-expect-error which run?
    await edge.get('/v1/runs/{run}/asks')
    // @ts-expect-error which run?
    await edge.get('/v1/runs/{run}/asks', { params: { path: {} } })
    // @ts-expect-error which link?
    await edge.delete('/v1/runs/{run}/links/{link}', { params })
    // @ts-expect-error `from` is a number
    await edge.get('/v1/runs/{run}/events', { params: { ...params, query: { from: '0' } } })
    const header = { 'last-event-id': '4;note=1.20' }
    await edge.get('/v1/runs/{run}/events', { params: { ...params, header } })
    // @ts-expect-error it takes no headers
    await edge.get('/v1/runs/{run}/asks', { params: { ...params, header } })
    // @ts-expect-error it is called `from`
    await edge.get('/v1/runs/{run}/events', { params: { ...params, query: { since: 0 } } })
    // @ts-expect-error which device?
    await edge.get('/v1/runs/{run}/entries', { params })
    // @ts-expect-error the entry that they follow is missing
    await device.post('/v1/runs/{run}/entries', { params, body: '' })
    await edge.get('/v1/runs/{run}/entries', {
      params: { ...params, header: { 'waystone-device': 'laptop' } },
    })
    await device.get('/v1/runs/{run}/entries', { params })
  })

  it('refuse a body that is missing or wrong, and one where there is none', async () => {
    // @ts-expect-error what for?
    await edge.post('/v1/runs/{run}/links', { params })
    // @ts-expect-error there is no such use
    await edge.post('/v1/runs/{run}/links', { params, body: { use: 'append' } })
    // @ts-expect-error it is called `ms`
    await edge.post('/v1/runs/{run}/links', { params, body: { use: 'read', seconds: 60 } })
    const item = { id: 'a', by: 'ana', time: 0, value: 'yes' } as const
    await edge.post('/v1/runs/{run}/inbox', { params, body: { ...item, type: 'answer', ask: digest } })
    // @ts-expect-error an answer to what?
    await edge.post('/v1/runs/{run}/inbox', { params, body: { ...item, type: 'answer' } })
    // @ts-expect-error bytes, not JSON
    await edge.put('/v1/runs/{run}/blobs/{hash}', { params: { path: { run: 'a', hash: 'b' } }, body: {} })
    // @ts-expect-error it takes none
    await edge.get('/v1/runs/{run}/asks', { params, body: {} })
  })
})
