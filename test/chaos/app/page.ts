import { openSession, openWaystone } from '@waystone/browser'
import { toWire, type MoveTarget, type RunHandle, type RunView, type StartOptions } from '@waystone/core'
import type { PorterInput, PorterState } from './agents.ts'
import { noNotes, takeNotes } from './notebook.ts'
import { probe, type AppendPoint, type ProbedThread } from './probe.ts'

/** What the page tells of a run whenever that changes, for the person at the other end. */
export interface ToldView {
  readonly run: string
  readonly status: string
  readonly owner: string
  readonly term: number
  readonly turn: number
  readonly seq: number
  /** The last entry that the edge has acknowledged. */
  readonly synced: number | undefined
  readonly ask: { readonly ask: string; readonly question: unknown } | undefined
  readonly pause:
    | {
        readonly reason: string
        readonly code: string | undefined
        readonly message: string
        readonly details: unknown
      }
    | undefined
}

/** An entry of a log by what checks need. */
export interface ToldEntry {
  readonly seq: number
  readonly digest: string
  readonly kind: string
  readonly owner: string
  readonly path: string | undefined
  readonly how: string | undefined
  readonly key: string | undefined
  /** The effects of class once that a person decided about, and how. */
  readonly decided: { readonly start: string; readonly type: string } | undefined
}

const query = new URLSearchParams(location.search)
const control = query.get('control') ?? ''
const life = query.get('life') ?? ''
const edge = query.get('edge')
const notebook = query.get('notebook')
const arming = new BroadcastChannel(`chaos-${life}`)
let workers = 0
/** Between two notes. */
const notePauseMs = 150
if (notebook !== null) probe(control, life, 'page')

const atEdge = edge === null ? {} : { edge: { url: edge, token: (): string => query.get('token') ?? '' } }

const opening = openWaystone({
  worker: () => {
    workers += 1
    const name = new URLSearchParams({ control, life, worker: String(workers) })
    return new Worker(`/agent.worker.js?${name.toString()}`, { type: 'module' })
  },
  ...atEdge,
})

const post = (path: string, body: object): Promise<unknown> =>
  fetch(`${control}/${path}`, { method: 'POST', body: JSON.stringify({ life, ...body }) }).catch(
    () => undefined,
  )

/** The session that this page writes into, where it has one. */
const notes =
  notebook === null
    ? undefined
    : opening
        .then(() => openSession({ id: notebook, initial: noNotes, ...atEdge }))
        .then((session) =>
          takeNotes(session, {
            name: life,
            pauseMs: notePauseMs,
            written: (note) => void post('notes', { notebook, note }),
            failed: (why) => void post('notes', { notebook, failed: why }),
          }),
        )

const runs = new Map<string, Promise<RunHandle<PorterState>>>()

function open(id: string): Promise<RunHandle<PorterState>> {
  const known = runs.get(id)
  if (known) return known
  const run = opening.then(async (way) => {
    const handle = (await way.open(id)) as RunHandle<PorterState>
    handle.subscribe((view) => changed(view))
    return handle
  })
  runs.set(id, run)
  run.catch(() => runs.delete(id))
  return run
}

const news = new Map<string, ToldView>()
let isTelling = false

function changed(view: RunView<PorterState>): void {
  news.set(view.run, told(view))
  if (!isTelling) void tellViews()
}

async function tellViews(): Promise<void> {
  isTelling = true
  while (news.size > 0) {
    const views = [...news.values()]
    news.clear()
    await post('views', { views })
  }
  isTelling = false
}

function told(view: RunView): ToldView {
  const { run, status, owner, term, turn, head, sync, pause, error } = view
  const [ask] = view.asks
  return {
    ...{ run, status, owner, term, turn },
    seq: head.seq,
    synced: sync.synced?.seq,
    ask: ask && { ask: ask.ask, question: ask.question },
    pause: pause && {
      reason: pause.reason,
      code: error?.code,
      message: error?.message ?? '',
      details: error?.details,
    },
  }
}

async function followAll(): Promise<void> {
  for (const { run } of await (await opening).runs()) await open(run).catch(() => undefined)
}

/** What the other end asks for, by name. */
const actions = {
  device: async () => (await opening).device,
  storage: async () => (await opening).storage,
  storageState: async () => (await opening).storageState,
  runs: async () => (await opening).runs(),
  start: async (input: PorterInput, options: StartOptions) => {
    await (await opening).start('porter', input, options)
  },
  view: async (id: string) => {
    const view = (await open(id)).view()
    return view && told(view)
  },
  live: async (id: string) => (await open(id)).view()?.live,
  state: async (id: string) => (await open(id)).view()?.state,
  send: async (id: string, value: string, item: string) => (await open(id)).send('news', value, { id: item }),
  answer: async (id: string, ask: string, value: string, item: string) =>
    (await open(id)).answer(ask, value, { id: item }),
  decide: async (id: string, start: string, decision: { type: 'again' } | { type: 'done'; value: string }) =>
    (await open(id)).decide(start, decision),
  retry: async (id: string) => (await open(id)).retry(),
  move: async (id: string, to: MoveTarget, drainMs: number) => (await open(id)).move(to, { drainMs }),
  arm: (point: AppendPoint, thread: ProbedThread, after: number) =>
    arming.postMessage({ point, thread, after }),
  stopNotes: async () => (await notes)?.stop(),
  notes: async () => (await notes)?.look(),
  /** Keeps the page busy, so that its process can be told from others. */
  spin: (ms: number) => {
    for (const until = performance.now() + ms; performance.now() < until;);
  },
  leave: () => window.close(),
  restart: async () => {
    const at = Date.now()
    await (await opening).restartWorker()
    return { at, worker: workers }
  },
  log: async (id: string): Promise<readonly ToldEntry[]> => {
    const run = await open(id)
    while (await run.loadEarlier());
    return run.entries().map(({ seq, digest, kind, owner, body }) => {
      const { path, how, key, start, decision } = body as unknown as {
        readonly [name: string]: string | undefined
      } & { readonly decision?: { readonly type: string } }
      const decided = decision && start !== undefined ? { start, type: decision.type } : undefined
      return { seq, digest, kind, owner, path, how, key, decided }
    })
  },
  /** Whether the database of the runs lets a transaction that writes begin. */
  database: () => Promise.race([beginsWriting(), after(beginMsMax).then(() => 'is blocked')]),
  /** The lines of a run that were set aside, as they were stored. */
  setAside: async (id: string) => {
    const tails = await (await open(id)).setAside()
    return tails.flatMap(({ lines }) => lines.map((line) => new TextDecoder().decode(line)))
  },
}

/** A transaction that has not begun by then, in ms, never will. */
const beginMsMax = 10_000

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function beginsWriting(): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('waystone-default')
    request.onerror = () => reject(request.error ?? new Error('it cannot be opened'))
    // What only looks makes none where there is none.
    request.onupgradeneeded = () => request.transaction?.abort()
    request.onsuccess = () => {
      const db = request.result
      const writing = db.transaction([...db.objectStoreNames], 'readwrite')
      writing.objectStore('inbox').count()
      writing.oncomplete = () => {
        db.close()
        resolve('answers')
      }
    }
  })
}

/** Carries out a command and tells what came of it. */
async function carryOut({ id, name, args }: { id: number; name: string; args: unknown[] }): Promise<void> {
  try {
    const action = actions[name as keyof typeof actions] as (...all: unknown[]) => unknown
    await post('reply', { id, value: await action(...args) })
  } catch (error) {
    await post('reply', { id, error: toWire(error) })
  }
}

const commands = new EventSource(`${control}/commands?life=${life}`)
commands.onmessage = ({ data }: MessageEvent<string>) => void carryOut(JSON.parse(data) as never)
addEventListener('pagehide', () => {
  navigator.sendBeacon(`${control}/hidden`, JSON.stringify({ life, at: Date.now() }))
})

const way = await opening
way.onRuns(() => void followAll())
void followAll()
await post('hello', {
  opened: performance.timeOrigin,
  at: Date.now(),
  device: way.device,
  storage: way.storage,
})
