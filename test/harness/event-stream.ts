/** One event of a `text/event-stream`; `event` is `comment` for a comment. */
export interface StreamEvent {
  readonly event: string
  readonly id: string
  readonly data: string
}

/** An open `text/event-stream`, read as it comes. */
export interface EventStream {
  readonly status: number
  readonly type: string | null
  /** All events so far. */
  events(): readonly StreamEvent[]
  /** Waits for the first event that fits, those that were there already included. */
  until(fits: (event: StreamEvent) => boolean): Promise<StreamEvent>
  /** Resolves when the server has closed the response. */
  readonly closed: Promise<void>
  /** Goes away in the middle. */
  leave(): void
}

const waitMsMax = 60_000

/** Asks for events and reads them until the server closes or `leave` is called. */
export async function openEventStream(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<EventStream> {
  const going = new AbortController()
  const response = await fetch(url, { headers, signal: going.signal })
  const events: StreamEvent[] = []
  const waiting = new Set<() => void>()
  const read = async (): Promise<void> => {
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      events.push(...parts.map(parsed))
      for (const look of waiting) look()
    }
  }
  const closed = read().catch((error: unknown) => {
    if (!going.signal.aborted) throw error
  })
  closed.catch(() => undefined)
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    events: () => events,
    until: (fits) => {
      const found = Promise.withResolvers<StreamEvent>()
      const look = (): void => {
        const event = events.find(fits)
        if (event) found.resolve(event)
      }
      const over = setTimeout(
        () => found.reject(new Error(`no such event came: ${JSON.stringify(events).slice(-4_000)}`)),
        waitMsMax,
      )
      waiting.add(look)
      look()
      return found.promise.finally(() => {
        clearTimeout(over)
        waiting.delete(look)
      })
    },
    closed,
    leave: () => going.abort(),
  }
}

function parsed(part: string): StreamEvent {
  if (part.startsWith(':')) return { event: 'comment', id: '', data: part.slice(1).trim() }
  const field = (name: string): string =>
    part
      .split('\n')
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
      .join('\n')
  return { event: field('event'), id: field('id'), data: field('data') }
}
