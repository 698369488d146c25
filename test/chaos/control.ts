import { fromWire } from '@waystone/core'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ToldView } from './app/page.ts'
import { inTime } from './in-time.ts'
import type { StoredHead } from './app/probe.ts'

/** A stored record that a worker has told of. */
export interface Ack extends StoredHead {
  readonly life: string
  readonly worker: string
  /** When its transaction was complete, and when that was heard here, in ms since 1970. */
  readonly at: number
  readonly heard: number
}

/** What came of writing a note into a session. */
export interface ToldNote {
  readonly notebook: string
  readonly note?: string
  /** How it failed as it must not. */
  readonly failed?: string
}

/** A page that is there. */
export interface Hello {
  readonly life: string
  /** When it began to load, in ms since 1970. */
  readonly opened: number
  readonly device: string
  readonly storage: string
}

/** The line between the program and its pages, over HTTP so that it is the same for every engine. */
export interface Control {
  readonly url: string
  /** Resolves when a page of this name is there. */
  hello(life: string): Promise<Hello>
  /** Has a page carry out an action. Rejects when that failed, when the page is gone, or when it does not answer. */
  ask<T>(life: string, name: string, ...args: readonly unknown[]): Promise<T>
  /** Resolves when a worker of this page stands still at a point where it was told to. */
  standing(life: string): Promise<void>
  /** The page was killed or closed: whoever waits for it is told. */
  gone(life: string): void
  /** When the page was hidden for the last time, if it said so. */
  hidden(life: string): number | undefined
  /** Resolves when the page was hidden. */
  left(life: string): Promise<void>
  /** The device that a page of this name is of, once it was there. */
  deviceOf(life: string): string | undefined
  /** When each worker of a page began, by its number. */
  began(life: string, worker: string): number | undefined
  readonly acks: readonly Ack[]
  /** The notes of a session that were acknowledged to those who wrote them. */
  notes(notebook: string): readonly string[]
  /** How writing into a session failed as it must not. */
  failures(notebook: string): readonly string[]
  /** Takes what came of a note that was written in this process. */
  takeNote(told: ToldNote): void
  onView(listener: (life: string, view: ToldView) => void): void
  close(): Promise<void>
}

/** A page that has not answered for so long, in ms, never will: longer than anything that it is asked for takes. */
const answerMsMax = 120_000

/** The page that was asked is gone. */
export class PageKilled extends Error {}

interface Page {
  readonly hello: PromiseWithResolvers<Hello>
  readonly standing: PromiseWithResolvers<void>
  readonly asked: Map<number, PromiseWithResolvers<unknown>>
  readonly waiting: string[]
  commands?: ServerResponse
  readonly left: PromiseWithResolvers<void>
  hidden?: number
  device?: string
  readonly began: Map<string, number>
}

/** Starts the control server on 127.0.0.1. */
export async function startControl(): Promise<Control> {
  const pages = new Map<string, Page>()
  const acks: Ack[] = []
  const notes: ToldNote[] = []
  const listeners: ((life: string, view: ToldView) => void)[] = []
  let count = 0

  const pageOf = (life: string): Page => {
    const known = pages.get(life)
    if (known) return known
    const page: Page = {
      hello: Promise.withResolvers(),
      standing: Promise.withResolvers(),
      left: Promise.withResolvers(),
      asked: new Map(),
      waiting: [],
      began: new Map(),
    }
    page.hello.promise.catch(() => undefined)
    page.standing.promise.catch(() => undefined)
    pages.set(life, page)
    return page
  }
  const take = (path: string, body: Told, response: ServerResponse): boolean => {
    const page = pageOf(body.life)
    const heard = Date.now()
    for (const ack of body.acks ?? [])
      acks.push({ ...ack, life: body.life, worker: body.worker ?? '', heard })
    switch (path) {
      case '/hello':
        page.device = (body as unknown as Hello).device
        page.hello.resolve(body as unknown as Hello)
        break
      case '/worker':
        page.began.set(body.worker ?? '', body.began ?? heard)
        break
      case '/views':
        for (const view of body.views ?? []) for (const hear of listeners) hear(body.life, view)
        break
      case '/notes':
        notes.push(body as unknown as ToldNote)
        break
      case '/hidden':
        page.hidden = body.at ?? heard
        page.left.resolve()
        break
      case '/reply':
        settle(page, body)
        break
      case '/point':
        page.standing.resolve()
        // Never answered: the worker stands still until it is ended.
        response.on('close', () => undefined)
        return false
    }
    return true
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    response.setHeader('cache-control', 'no-store')
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    if (pathname === '/commands') {
      const page = pageOf(searchParams.get('life') ?? '')
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      page.commands = response
      for (const command of page.waiting.splice(0)) response.write(command)
      return undefined
    }
    readText(request)
      .then((text) => {
        if (take(pathname, JSON.parse(text) as Told, response)) response.writeHead(204).end()
      })
      // A killed process leaves half a request behind.
      .catch(() => response.destroy())
    return undefined
  })
  // A worker that stands still does so for as long as it takes to kill it.
  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no address')

  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    hello: (life) => pageOf(life).hello.promise,
    ask<T>(life: string, name: string, ...args: readonly unknown[]): Promise<T> {
      const page = pageOf(life)
      const asked = Promise.withResolvers<unknown>()
      count += 1
      page.asked.set(count, asked)
      const command = `data: ${JSON.stringify({ id: count, name, args })}\n\n`
      if (page.commands) page.commands.write(command)
      else page.waiting.push(command)
      return inTime(asked.promise as Promise<T>, answerMsMax, () => {
        const seconds = String(answerMsMax / 1_000)
        throw new Error(`the page ${life} has not answered "${name}" within ${seconds} s`)
      })
    },
    standing(life) {
      const page = pageOf(life)
      const next = Promise.withResolvers<void>()
      next.promise.catch(() => undefined)
      pages.set(life, Object.assign(page, { standing: next }))
      return next.promise
    },
    gone(life) {
      const page = pageOf(life)
      const error = new PageKilled(`the page ${life} is gone`)
      page.hello.reject(error)
      page.standing.reject(error)
      for (const asked of page.asked.values()) asked.reject(error)
      page.asked.clear()
      page.commands?.destroy()
    },
    hidden: (life) => pageOf(life).hidden,
    left: (life) => pageOf(life).left.promise,
    deviceOf: (life) => pageOf(life).device,
    began: (life, worker) => pageOf(life).began.get(worker),
    acks,
    notes: (notebook) => notes.flatMap((one) => (one.notebook === notebook && one.note ? [one.note] : [])),
    takeNote: (told) => void notes.push(told),
    failures: (notebook) =>
      notes.flatMap((one) => (one.notebook === notebook && one.failed ? [one.failed] : [])),
    onView: (listener) => void listeners.push(listener),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What pages and workers send, by whichever route. */
interface Told {
  readonly life: string
  readonly worker?: string
  readonly began?: number
  readonly at?: number
  readonly id?: number
  readonly value?: unknown
  readonly error?: unknown
  readonly views?: readonly ToldView[]
  readonly acks?: readonly (StoredHead & { readonly at: number })[]
}

function settle(page: Page, { id = -1, value, error }: Told): void {
  const asked = page.asked.get(id)
  page.asked.delete(id)
  if (error === undefined) asked?.resolve(value)
  else asked?.reject(fromWire(error))
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
