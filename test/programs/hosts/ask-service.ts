/** Asks the service outside, which counts each request by its name; `body` says what it was asked. */
export type AskService = (request: string, body?: unknown, signal?: AbortSignal) => Promise<string>

/** How a program, by its name, asks the service. */
export function askServiceAt(service: string, program: string): AskService {
  return async (request, body = '', signal) => {
    const response = await fetch(`${service}/effect/${program}.${encodeURIComponent(request)}`, {
      method: 'POST',
      headers: { 'idempotency-key': `${program} ${request}` },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    })
    return ((await response.json()) as { readonly answer: string }).answer
  }
}
