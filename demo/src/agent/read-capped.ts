/** The most that is taken from any server, in bytes; what the agent keeps of it is less. */
const bodyBytesMax = 2_000_000

/**
 * The text of an answer and its media type. Throws for a status that is not a success and for what is not text; with
 * `retryable: false` when trying again is useless.
 */
export async function readCapped(
  response: Response,
): Promise<{ readonly text: string; readonly type: string }> {
  if (!response.ok) {
    const retryable = response.status >= 500 || response.status === 429
    throw Object.assign(new Error(`the server answered ${String(response.status)}`), { retryable })
  }
  const type = response.headers.get('content-type') ?? ''
  if (type !== '' && !/^text\/|json|xml|markdown/i.test(type)) {
    await response.body?.cancel()
    throw Object.assign(new Error(`it is ${type.split(';', 1).join('')}, which is not text`), {
      retryable: false,
    })
  }
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  const reader = response.body?.getReader()
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    text += decoder.decode(value, { stream: true })
    if (bytes <= bodyBytesMax) continue
    await reader.cancel()
    break
  }
  return { text: text + decoder.decode(), type }
}
