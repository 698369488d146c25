import {
  Authority,
  defineAgent,
  done,
  edgeOwner,
  next,
  parseLine,
  parseRunId,
  RunHandle,
  RunLog,
  Runtime,
  Snapshotter,
  toBase64,
  unnamedBlobs,
  utf8,
  type AnyAgent,
  type Artifact,
  type Digest,
  type Edge,
  type Encryption,
  type InboxContent,
  type InboxItem,
  type InboxKey,
  type OwnerId,
  type RunId,
  type RunStorage,
  type RuntimePorts,
  type WatchEvent,
} from '@waystone/core'
import { memoryChannels, memoryLocks, memoryStorage } from '@waystone/core/memory'
import { describe, expect, it } from 'vitest'
import { clock, random } from './encryption.test-support.ts'
import { encryptionOf, openLent } from './lending.ts'
import { sealItem } from './seal-item.ts'
import { newKeyPair, publicKeyOf } from './sealed-box.ts'

/** Words that must not be found anywhere. */
const secrets = ['Zanzibar', 'Kilimanjaro', 'Serengeti', 'Ngorongoro', 'Tanganyika']

const diary = defineAgent({
  name: 'diary',
  version: 1,
  initial: (input: { title: string }) => ({ ...input, pages: [] as string[] }),
  async turn(ctx, state) {
    const turn = ctx.turn
    const page = await ctx.step('Kilimanjaro', () =>
      `Serengeti ${String(turn)} `.repeat(turn === 1 ? 8_000 : 1),
    )
    if (turn === 0) await ctx.artifact('Ngorongoro', new Uint8Array(3_000).fill(7), { type: 'x/y' })
    if (turn === 2) {
      const answer = await ctx.ask('Tanganyika', { question: 'to the lake?' })
      state.pages.push(JSON.stringify(answer))
    }
    state.pages.push(page)
    return turn === 3 ? done({ pages: state.pages.length }) : next()
  },
})

/** Keeps little: its newest photo, and the first one, which is in its state. */
const forgetful = defineAgent({
  name: 'forgetful',
  version: 1,
  retention: { turns: 1, age: '0s' },
  snapshots: { turns: 1 },
  initial: () => ({ photos: [] as Artifact[], sizes: [] as number[] }),
  async turn(ctx, state) {
    const { turn } = ctx
    const page = await ctx.step('write', () => `Serengeti ${String(turn)} `.repeat(5_000))
    const taken = await ctx.artifact('photo', photo(turn), { type: 'x/y' })
    if (turn === 0) state.photos.push(taken)
    if (turn === 3) await ctx.label('milestone')
    state.sizes.push(page.length)
    if (turn < 12) return next()
    await ctx.ask('more', { question: 'go on?' })
    return done(state.sizes.length)
  },
})

const photo = (fill: number): Uint8Array<ArrayBuffer> => new Uint8Array(300_000).fill(fill)

function device(options: {
  readonly encryption?: Encryption
  readonly storage?: RunStorage
  readonly name?: string
  readonly edge?: Edge
  readonly agents?: readonly AnyAgent[]
}) {
  const storage = options.storage ?? memoryStorage()
  const ports: RuntimePorts = {
    ...storage,
    store: { ...storage.store, close: () => Promise.resolve() },
    me: (options.name ?? 'laptop') as OwnerId,
    place: 'browser',
    clock,
    random,
    locks: memoryLocks(),
    channel: memoryChannels()(),
    agents: options.agents ?? [diary],
    encryption: options.encryption,
    ...(options.edge ? { edge: options.edge } : {}),
  }
  return { storage, open: () => Runtime.open(ports) }
}

const userKey = { id: 'u1', key: new Uint8Array(32).fill(9) }
const encryption = encryptionOf([userKey])
const run = parseRunId('secret')

async function waiting(options: { readonly edge?: Edge } = {}) {
  const laptop = device({ encryption, ...options })
  const runtime = await laptop.open()
  await runtime.start('diary', { title: 'Zanzibar' }, { id: run })
  const handle = await RunHandle.open(run, runtime, random, encryption)
  const view = await handle.until(({ status, turn }) => turn === 2 && status === 'waiting')
  return { ...laptop, runtime, handle, view }
}

/** All bytes that a storage has of the run, as text. */
async function textOf(storage: RunStorage): Promise<string> {
  const texts: string[] = []
  for (let from = 0; ;) {
    const page = await storage.store.read(run, from)
    if (page.length === 0) break
    for (const line of page) {
      texts.push(new TextDecoder().decode(line))
      for (const hash of parseLine(line).blobs ?? []) {
        const blob = await storage.blobs.get(run, hash)
        if (blob) texts.push(new TextDecoder().decode(blob))
      }
    }
    from += page.length
  }
  return texts.join('\n')
}

describe('an encrypted run', () => {
  it('goes on as any other, and nothing that was said in it is stored', async () => {
    const { handle, view, storage, runtime } = await waiting()
    await handle.answer(view.asks[0]?.ask as string, { yes: 'Serengeti' })
    expect(await handle.result()).toEqual({ pages: 5 })
    const text = await textOf(storage)
    for (const secret of secrets) expect(text).not.toContain(secret)
    const artifact = handle.view()?.artifacts[0]
    expect(await handle.artifact(artifact as never)).toEqual(new Uint8Array(3_000).fill(7))
    await runtime.close()
  })

  it('goes on where it was after a crash, and cannot be opened without its key', async () => {
    const { storage, runtime, view } = await waiting()
    await runtime.close()
    const stranger = await device({ storage }).open()
    await expect(RunHandle.open(run, stranger, random)).rejects.toMatchObject({ code: 'key_missing', run })
    await stranger.close()
    const again = await device({ storage, encryption }).open()
    const handle = await RunHandle.open(run, again, random, encryption)
    expect((await handle.until(({ status }) => status === 'waiting')).state).toEqual(view.state)
    await handle.answer(view.asks[0]?.ask as string, 'no')
    expect(await handle.result()).toEqual({ pages: 5 })
    await again.close()
  })

  it('is refused where an entry was moved, changed, or put in without a seal', async () => {
    const { storage, runtime } = await waiting()
    await runtime.close()
    const lines = await storage.store.read(run, 0)
    const cipher = encryption.cipher
    const other = { ...memoryStorage(), blobs: storage.blobs }
    const log = await RunLog.open(run, { ...other, now: clock.now, cipher })
    const step = lines.findIndex((line) => parseLine(line).kind === 'step')
    const { enc } = parseLine(lines[step] as Uint8Array)
    const moved = (from: Uint8Array): Uint8Array =>
      new TextEncoder().encode(JSON.stringify({ ...JSON.parse(new TextDecoder().decode(from)), enc }))
    const upTo = (end: number, last: Uint8Array): Uint8Array[] => [...lines.slice(0, end), last]
    await expect(log.adopt(upTo(step - 1, moved(lines[step - 1] as Uint8Array)))).rejects.toMatchObject({
      code: 'log_damaged',
    })
    const stripped = { ...JSON.parse(new TextDecoder().decode(lines[step])), enc: undefined, key: undefined }
    await expect(
      log.adopt(upTo(step, new TextEncoder().encode(JSON.stringify(stripped)))),
    ).rejects.toMatchObject({ code: 'log_damaged' })
    const unsealed = { ...JSON.parse(new TextDecoder().decode(lines[step])), enc: 'AAAA' }
    await expect(
      log.adopt(upTo(step, new TextEncoder().encode(JSON.stringify(unsealed)))),
    ).rejects.toMatchObject({ code: 'log_damaged' })
    expect(await other.store.head(run)).toBeUndefined()
    expect(await log.adopt(lines)).toHaveLength(lines.length)
  })

  it('with any bit changed of its last entry goes on from the one before', async () => {
    const memory = memoryStorage()
    const { cipher } = encryption
    const log = await RunLog.open(run, { ...memory, now: () => 1, cipher })
    const { runtime, storage } = await waiting()
    await runtime.close()
    await log.adopt((await storage.store.read(run, 0)).slice(0, 2))
    const outcome = { value: 'Serengeti' }
    await log.append(log.mustFold().owner, () => [
      { kind: 'step', body: { path: '0/a', attempts: 1, ms: 2, outcome } },
    ])
    const lines = await memory.store.read(run, 0)
    const head = log.mustFold().head
    const line = lines[2] as Uint8Array
    for (let at = '{"format":1'.length; at < line.byteLength; at += 1) {
      let kept = [...lines.slice(0, 2), line.with(at, (line[at] as number) ^ (1 << (at % 8)))]
      const store: RunStorage['store'] = {
        ...memory.store,
        read: async (_, from) => kept.slice(from),
        head: async () => head,
        append: async () => {
          kept = kept.slice(0, 2)
          return { ok: true, head }
        },
      }
      const opened = await RunLog.open(run, { ...memory, store, now: () => 2, cipher })
      expect([at, opened.mustFold().head.seq, opened.damage?.seq]).toEqual([at, 1, 2])
    }
  })

  it('forks, with the artifacts of its source and a snapshot of its own', async () => {
    const { handle, runtime, storage } = await waiting()
    const seq = handle.view()?.head.seq as number
    const fork = await RunHandle.open(await handle.fork({ seq }), runtime, random, encryption)
    const view = await fork.until(({ status }) => status === 'waiting')
    expect(view.state).toEqual(handle.view()?.state)
    expect(await fork.artifact(view.artifacts[0] as never)).toEqual(new Uint8Array(3_000).fill(7))
    const [first] = await storage.store.read(fork.id, 0)
    expect(parseLine(first as Uint8Array).key).toBe(`u1.${fork.id}.0`)
    await runtime.close()
  })
})

describe('the export of an encrypted run', () => {
  it('is sealed, and becomes a run again where its key is', async () => {
    const { handle, runtime } = await waiting()
    const { lines, blobs } = handle.export()
    const texts: string[] = []
    for await (const line of lines()) texts.push(line)
    for (const secret of secrets) expect(texts.join('')).not.toContain(secret)
    const there = await device({ encryption, name: 'phone' }).open()
    const stranger = await device({ name: 'stranger' }).open()
    for await (const { hash, bytes } of blobs()) {
      await there.putBlob('again' as RunId, hash, bytes)
      await stranger.putBlob('again' as RunId, hash, bytes)
    }
    await expect(stranger.importRun('again' as RunId, texts)).rejects.toMatchObject({ code: 'key_missing' })
    const again = await RunHandle.open(
      await there.importRun('again' as RunId, texts),
      there,
      random,
      encryption,
    )
    const view = await again.until(({ status }) => status === 'paused')
    expect(view.state).toEqual(handle.view()?.state)
    expect(await again.artifact(view.artifacts[0] as never)).toEqual(new Uint8Array(3_000).fill(7))
    await Promise.all([runtime.close(), there.close(), stranger.close()])
  })

  it('becomes a run again under its own id, with keys that it has not had before', async () => {
    const { handle, runtime } = await waiting()
    const { lines, blobs } = handle.export()
    const texts: string[] = []
    for await (const line of lines()) texts.push(line)
    const there = device({ encryption, name: 'phone' })
    const phone = await there.open()
    for await (const { hash, bytes } of blobs()) await phone.putBlob(run, hash, bytes)
    await phone.importRun(run, texts)
    const again = await RunHandle.open(run, phone, random, encryption)
    const view = await again.until(({ status }) => status === 'paused')
    expect(view.state).toEqual(handle.view()?.state)
    await phone.close()
    const cipher = encryption.cipher
    const log = await RunLog.open(run, { ...there.storage, now: clock.now, cipher })
    const body = { reason: 'lending', place: 'browser', nonce: 'n', sdk: '0' } as const
    await log.append('phone' as OwnerId, () => [{ kind: 'open', body }])
    await log.append('phone' as OwnerId, () => [{ kind: 'cancel', body: { id: 'c', by: 'ana', reason: '' } }])
    const keys = (await log.entries(0, 99)).flatMap(({ key }) => (key === undefined ? [] : [key]))
    expect([...new Set(keys)]).toEqual(['u1.secret.1', 'u1.secret.2'])
    await runtime.close()
  })
})

describe('an edge without a key', () => {
  /** What the edge does with one run, blind. */
  async function blindEdge(of: RunId = run, storage = memoryStorage()) {
    const log = await RunLog.open(of, { ...storage, now: clock.now, blind: true })
    const failures: unknown[] = []
    const snapshotter = new Snapshotter(log, {
      ...storage,
      me: edgeOwner,
      clock,
      mayAppend: () => false,
      retention: () => 'as its writer',
      synced: () => Infinity,
      failed: (error) => failures.push(error),
    })
    const authority = new Authority(log, {
      clock,
      random,
      blobs: storage.blobs,
      inbox: storage.inbox,
      agent: () => diary,
      stopHost: () => Promise.resolve(),
      ownerAlive: () => true,
    })
    const followers = new Set<(event: WatchEvent) => void>()
    const send = async (item: InboxItem): Promise<void> => {
      await authority.send(item)
      for (const tell of followers) tell({ type: 'inbox' })
    }
    const edge: Edge = {
      blobs: storage.blobs,
      remote: {
        push: (_, append) => authority.push(append),
        pull: (_, from, as) => authority.pull(from, as),
        claim: (_, claim) => authority.claim(claim),
        hold: async () => ({ head: log.mustFold().head, lines: [] }),
        blockers: () => authority.blockers(),
        send: (_, item) => send(item),
        follow(_, { onEvent, onState }) {
          void Promise.resolve().then(() => onState(true))
          const stop = log.listen(({ entries, lines }) =>
            onEvent({ type: 'lines', from: entries[0]?.seq ?? 0, lines }),
          )
          followers.add(onEvent)
          return { tell: () => undefined, close: stop }
        },
      },
    }
    return { storage, log, authority, edge, send, failures, settle: () => snapshotter.settle() }
  }

  it('keeps the run in order: status, questions, answers, owner', async () => {
    const { edge, log, storage } = await blindEdge()
    const { handle, runtime, view } = await waiting({ edge })
    await handle.synced()
    expect(log.mustFold()).toMatchObject({ status: 'running', turn: 2, state: null, owner: 'laptop' })
    for (const secret of secrets) {
      expect(JSON.stringify([log.fold, await log.entries(0, 99)])).not.toContain(secret)
      expect(await textOf(storage)).not.toContain(secret)
    }
    await runtime.close()
    // Another device of the same person takes over, with the key and nothing else.
    const phone = await device({ encryption, edge, name: 'phone' }).open()
    const there = await RunHandle.open(run, phone, random, encryption)
    await there.until(({ head }) => head.seq === log.mustFold().head.seq)
    await phone.move(run, 'here', { force: true })
    expect((await there.until(({ status }) => status === 'waiting')).state).toEqual(view.state)
    await there.answer(view.asks[0]?.ask as string, 'yes')
    expect(await there.result()).toEqual({ pages: 5 })
    await there.synced()
    expect(log.mustFold()).toMatchObject({ status: 'done', owner: 'phone' })
    await phone.close()
  })

  it('keeps as much of it as its writer does, with the artifacts that are still needed', async () => {
    const { edge: near, log, storage, settle, failures } = await blindEdge()
    const photosPut: Digest[] = []
    const allPut = new Set<Digest>()
    const put: typeof near.blobs.put = (of, hash, bytes, how) => {
      if (bytes.byteLength > 300_000) photosPut.push(hash)
      allPut.add(hash)
      return near.blobs.put(of, hash, bytes, how)
    }
    const edge: Edge = { ...near, blobs: { ...near.blobs, put } }
    const agents = [forgetful]
    const laptop = device({ encryption, edge, agents })
    const runtime = await laptop.open()
    await runtime.start('forgetful', {}, { id: run })
    const handle = await RunHandle.open(run, runtime, random, encryption)
    const view = await handle.until(({ turn, status }) => turn === 12 && status === 'waiting')
    await handle.synced()
    await settle()
    expect(failures).toEqual([])

    const [first, labelled] = [await log.reader.first(), log.mustFold().labels[0]?.at.seq as number]
    expect(first).toBeGreaterThan(labelled)
    expect(log.mustFold().gone?.before).toBe(first)
    const snapshots = await storage.snapshots.list(run)
    expect(snapshots[0]).toBe(labelled)
    expect(snapshots.length).toBeLessThan(6)
    const { photos } = view.state as { readonly photos: readonly Artifact[] }
    expect(photosPut).toHaveLength(13)
    const missing = await storage.blobs.missing(run, photosPut)
    const turns = photosPut.flatMap((hash, turn) => (missing.includes(hash) ? [] : [turn]))
    // The first is in its state, the fourth was the newest one at its milestone, and some turns are still there.
    expect(turns.filter((turn) => turn < 8)).toEqual([0, 3])
    expect(turns).toContain(12)
    expect(await laptop.storage.blobs.missing(run, photosPut)).toEqual(expect.arrayContaining([...missing]))
    await runtime.close()

    // Of what is there all is named, and what nothing names can be swept.
    const gone = new Set(await storage.blobs.missing(run, [...allPut]))
    const here = [...allPut].filter((hash) => !gone.has(hash))
    const lost = 'f'.repeat(64) as Digest
    const unnamed = await unnamedBlobs(log, [...here, lost], { ...storage, clock, pagesMax: 50 })
    expect(unnamed).toEqual([lost])
    expect(here.length).toBeGreaterThan(10)

    // Another device begins with what is left.
    const phone = await device({ encryption, edge, agents, name: 'phone' }).open()
    const there = await RunHandle.open(run, phone, random, encryption)
    await there.until(({ head }) => head.seq === log.mustFold().head.seq)
    expect(there.view()?.state).toEqual(view.state)
    expect(await there.artifact(photos[0] as Artifact)).toEqual(photo(0))
    await phone.move(run, 'here', { force: true })
    const { asks } = await there.until(({ status }) => status === 'waiting')
    await there.answer(asks[0]?.ask as string, 'no')
    expect(await there.result()).toBe(13)
    await phone.close()
  })

  it('takes answers and messages that it cannot read, from people who cannot read the run', async () => {
    const { edge, send, storage, log } = await blindEdge()
    const { handle, runtime, view } = await waiting({ edge })
    await handle.synced()
    const { inbox } = log.mustFold()
    expect(inbox?.key).toBe('u1.secret.0')
    const ask = view.asks[0]?.ask as Digest
    const by = { id: 'an-answer', by: 'a guest', time: 0 }
    const content = { type: 'answer', ask, value: 'Serengeti' } as const
    // Sealed for another item, it is refused and the question stays open.
    const other = await sealItem(inbox as InboxKey, { run, id: 'another' }, content)
    await send({ ...other, ...by, id: 'replayed' })
    const sealed = await sealItem(inbox as InboxKey, { run, id: by.id }, content)
    expect(JSON.stringify(sealed)).not.toContain('Serengeti')
    await handle.until(() => handle.entries().some(({ kind }) => kind === 'refuse'))
    // Until the edge knows that the first one was refused, the question has its answer there.
    await handle.synced()
    await send({ ...sealed, ...by })
    expect(JSON.stringify(await storage.inbox.list(run))).not.toContain('Serengeti')
    expect(await handle.result()).toEqual({ pages: 5 })
    const answers = handle.entries().filter(({ kind }) => kind === 'answer')
    expect(answers).toMatchObject([{ body: { answer: { value: 'Serengeti', by: 'a guest' } } }])
    await runtime.close()
  })

  it('has a run do nothing that it was not told from outside, whoever may send an answer', async () => {
    const { edge, send, log } = await blindEdge()
    const { handle, runtime, view } = await waiting({ edge })
    await handle.synced()
    const inbox = log.mustFold().inbox as InboxKey
    const ask = view.asks[0]?.ask as Digest
    const state = { title: 'Zanzibar', pages: ['of another'] }
    for (const [index, content] of (
      [
        { type: 'cancel', reason: 'gone' },
        { type: 'rewind', seq: 0, state },
        { type: 'retry', budget: { steps: 1_000 } },
        { type: 'answer', ask: 'f'.repeat(64) as Digest, value: 'to another question' },
      ] satisfies InboxContent[]
    ).entries()) {
      const id = `item-${String(index)}`
      const use = `waystone inbox 1 ${run} ${id}`
      const box = await encryption.cipher.sealItem(inbox.publicKey, use, utf8(JSON.stringify(content)))
      const sealed = { key: inbox.key, box: toBase64(box) }
      await send({ type: 'answer', ask, value: null, sealed, id, by: 'a guest', time: 0 })
      await handle.until(() => handle.entries().some(({ kind, body }) => kind === 'refuse' && body.id === id))
      await handle.synced()
    }
    const answer = await sealItem(inbox, { run, id: 'mine' }, { type: 'answer', ask, value: 'yes' })
    await send({ ...answer, id: 'mine', by: 'a guest', time: 0 })
    expect(await handle.result()).toEqual({ pages: 5 })
    await runtime.close()
  })

  it('says that it cannot run it, and a device that lends no keys does not ask it to', async () => {
    const { edge, authority, log } = await blindEdge()
    const { handle, runtime } = await waiting({ edge })
    await handle.synced()
    expect(await handle.blockers('edge')).toEqual(['it is end-to-end encrypted: the edge cannot read it'])
    await expect(handle.move('edge')).rejects.toMatchObject({ code: 'move_refused' })
    const { head, epoch } = log.mustFold()
    await expect(
      authority.claim({ base: head, epoch, owner: edgeOwner, place: 'edge', reason: 'moved' }),
    ).rejects.toMatchObject({ code: 'move_refused', message: expect.stringContaining('encrypted') })
    expect(log.mustFold().owner).toBe('laptop')
    await runtime.close()
  })

  it('may keep what it was about to be lent: the device goes on with another key, though the move was refused', async () => {
    const { edge } = await blindEdge()
    const publicKey = await publicKeyOf(await newKeyPair())
    // It says that nothing is in the way, reads the keys, and refuses.
    const remote = { ...edge.remote, lendingKey: async () => publicKey, blockers: async () => [] }
    const lending = { ...edge, remote }
    const laptop = device({ encryption: encryptionOf([userKey], { lendForMs: 60_000 }), edge: lending })
    const runtime = await laptop.open()
    await runtime.start('diary', { title: 'Zanzibar' }, { id: run })
    const handle = await RunHandle.open(run, runtime, random, encryption)
    const view = await handle.until(({ turn, status }) => turn === 2 && status === 'waiting')
    await expect(handle.move('edge')).rejects.toMatchObject({ code: 'move_refused' })
    const { seq } = handle.view()?.head ?? { seq: 0 }
    await handle.answer(view.asks[0]?.ask as string, 'Serengeti')
    expect(await handle.result()).toEqual({ pages: 5 })
    const after = handle.entries().filter((entry) => entry.seq > seq && entry.key !== undefined)
    expect(new Set(after.map(({ key }) => key))).toEqual(new Set(['u1.secret.1']))
    expect(handle.entries()[seq]).toMatchObject({ kind: 'open', body: { reason: 'lending' } })
    await runtime.close()
  })

  it('is lent the keys of a fork alone, and none where that has artifacts of its source', async () => {
    const [early, late] = [parseRunId('early'), parseRunId('late')]
    const storage = memoryStorage()
    const sides = new Map(
      await Promise.all(
        [run, early, late].map(async (of) => [of, (await blindEdge(of, storage)).edge.remote] as const),
      ),
    )
    const at = (of: RunId): Edge['remote'] => sides.get(of) as Edge['remote']
    const pair = await newKeyPair()
    const lent: (readonly [RunId, string | undefined])[] = []
    const remote: Edge['remote'] = {
      push: (of, append) => at(of).push(of, append),
      pull: (of, from, as) => at(of).pull(of, from, as),
      claim(of, claim) {
        lent.push([of, claim.lent])
        return at(of).claim(of, claim)
      },
      hold: (of, ...hold) => at(of).hold(of, ...hold),
      blockers: async () => [],
      lendingKey: () => publicKeyOf(pair),
      send: (of, item) => at(of).send(of, item),
      follow: (of, subscriber) => at(of).follow(of, subscriber),
    }
    const lending = { blobs: storage.blobs, remote }
    const laptop = device({ encryption: encryptionOf([userKey], { lendForMs: 60_000 }), edge: lending })
    const runtime = await laptop.open()
    await runtime.start('diary', { title: 'Zanzibar' }, { id: run })
    const handle = await RunHandle.open(run, runtime, random, encryption)
    const { head } = await handle.until(({ turn, status }) => turn === 2 && status === 'waiting')
    const forked = async (seq: number, id: RunId) => {
      const fork = await RunHandle.open(await handle.fork({ seq, id }), runtime, random, encryption)
      await fork.until(({ status }) => status === 'waiting')
      return fork
    }

    await expect((await forked(0, early)).move('edge')).rejects.toMatchObject({ code: 'move_refused' })
    expect(lent.map(([of]) => of)).toEqual([early])
    const { keys } = await openLent(pair, early, lent[0]?.[1] as string)
    expect([...keys.keys()]).toEqual(['u1.early.0'])

    const fork = await forked(head.seq, late)
    const why = expect.stringContaining('artifacts of run secret')
    expect(await fork.blockers('edge')).toEqual([why])
    await expect(fork.move('edge')).rejects.toMatchObject({ code: 'move_refused', message: why })
    expect(lent).toHaveLength(1)
    await runtime.close()
  })
})
