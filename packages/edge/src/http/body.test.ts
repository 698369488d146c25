import { expect, it } from 'vitest'
import { readBody } from './body.ts'

/** A body in parts, each in the memory of the one before. */
function requestOf(parts: readonly number[], headers: Record<string, string> = {}): Request {
  const memory = new Uint8Array(Math.max(0, ...parts))
  const left = parts.map((size, index) => ({ size, fill: (index % 255) + 1 }))
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const next = left.shift()
        if (next === undefined) return controller.close()
        controller.enqueue(memory.fill(next.fill).subarray(0, next.size))
      },
    },
    { highWaterMark: 0 },
  )
  const init = { method: 'POST', body, headers, duplex: 'half' }
  return new Request('https://edge/', init as RequestInit)
}

const bytesOf = (parts: readonly number[]): number[] =>
  parts.flatMap((size, index) => Array.from({ length: size }, () => (index % 255) + 1))

it.each([
  ['none', []],
  ['one', [1]],
  ['some', [100, 1, 50]],
  ['many', Array.from({ length: 300 }, () => 100)],
])(
  'readBody() keeps no part beside the whole, whether it is told the length or not: %s',
  async (_, parts) => {
    const length = parts.reduce((sum, size) => sum + size, 0)
    const told = await readBody(requestOf(parts, { 'content-length': String(length) }), 40_000)
    expect([...told]).toEqual(bytesOf(parts))
    expect(told.buffer.byteLength).toBe(length)
    expect([...(await readBody(requestOf(parts), 40_000))]).toEqual(bytesOf(parts))
  },
)

it('readBody() takes a body that is shorter or longer than it says, up to its limit', async () => {
  for (const length of ['3', '299', 'nonsense', '-1'])
    expect([...(await readBody(requestOf([100, 100], { 'content-length': length }), 300))]).toEqual(
      bytesOf([100, 100]),
    )
  await expect(readBody(requestOf([100, 100], { 'content-length': '10' }), 199)).rejects.toMatchObject({
    code: 'too_large',
  })
  await expect(readBody(requestOf([100, 100]), 199)).rejects.toMatchObject({ code: 'too_large' })
  await expect(readBody(requestOf([], { 'content-length': '200' }), 199)).rejects.toMatchObject({
    code: 'too_large',
  })
})
