import { defineAgent, done, need, next, type Ctx, type TurnEnd } from '@waystone/core'
import { approval } from './agent/approval.ts'
import { titleOfDraft } from './agent/compose-brief.ts'
import { cutPassages } from './agent/cut-passages.ts'
import { listSources, type ListedSource } from './agent/list-sources.ts'
import { rankPassages } from './agent/rank-passages.ts'
import { readSource, type ReadSource } from './agent/read-source.ts'
import type {
  AskState,
  DraftRequest,
  FetchText,
  Passage,
  Publish,
  Published,
  Question,
  SourceNote,
  Writer,
} from './agent/types.ts'

const needs = {
  fetchText: need<FetchText>(),
  writer: need<Writer>(),
  publish: need<Publish>({ at: 'edge' }),
}

type AskCtx = Ctx<typeof needs>
type ReadResult = ReadSource | { readonly failed: string }

/**
 * Reads documents, drafts an answer made of quotations, has it approved by a person and publishes it. The same agent in
 * page, Web Worker and Durable Object: reading is one turn, each round of drafting is one, publishing is the last.
 */
export const askTheDocs = defineAgent({
  name: 'ask-the-docs',
  version: 1,
  config: { prompt: 1 },
  needs,
  initial: ({ question, sources }: Question): AskState => ({
    question,
    phase: 'read',
    sources: [...sources],
    notes: [],
    passages: [],
    drafts: [],
    published: null,
  }),
  turn(ctx, state): Promise<TurnEnd<Published>> {
    if (state.phase === 'read') return read(ctx, state)
    if (state.phase === 'write') return write(ctx, state)
    return publish(ctx, state)
  },
})

/** Reads every source, four at a time, and cuts what they say into passages. */
async function read(ctx: AskCtx, state: AskState): Promise<TurnEnd<never>> {
  const given = ctx.current(state.sources)
  const names = await ctx.step('sources', () => listSources(given).map(({ key, title }) => ({ key, title })))
  const listed = listSources(given).slice(0, names.length)
  const read = await ctx.map('read', listed, { key: ({ key }) => key, concurrency: 4 }, readOne)
  const passages = await ctx.step('passages', () =>
    listed.flatMap((one, index) => passagesOf(one, index, read[index])),
  )
  state.notes = listed.map((one, index) =>
    noteOf(one, read[index], passages.filter(({ id }) => id.startsWith(`${String(index)}.`)).length),
  )
  state.passages = passages
  state.sources = []
  state.phase = 'write'
  return next()
}

/** One source. One that cannot be read is noted and left out. */
async function readOne(ctx: AskCtx, { source }: ListedSource): Promise<ReadResult> {
  try {
    const options = { needs: ['fetchText'], timeout: '30s' } as const
    return await ctx.step('get', options, ({ signal }) => readSource(source, ctx.use.fetchText, signal))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'interrupted') throw error
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

/** One round: rank, draft, ask. A draft that was sent back is followed by another round. */
async function write(ctx: AskCtx, state: AskState): Promise<TurnEnd<never>> {
  const { question, passages, drafts } = ctx.current(state)
  const remark = drafts
    .map((draft) => draft.remark ?? '')
    .filter((line) => line !== '')
    .join('\n')
  const matches = await ctx.step('rank', () => rankPassages(passages, { question, remark }))
  const chosen = matches.flatMap(({ id }) => passages.find((passage) => passage.id === id) ?? [])
  const request: DraftRequest = { question, passages: chosen, remark, previous: drafts.at(-1)?.text }

  const { text, writer } = await ctx.stream('draft', { needs: ['writer'] }, async ({ out, signal }) => {
    const by = ctx.use.writer
    // What stands there may be by another writer, at another place: then it begins again.
    if (!by.continues(request, out.text)) await out.reset()
    for await (const piece of by.write(request, { signal, from: out.text })) await out.write(piece)
    return { text: out.text, writer: by.name }
  })

  const title = titleOfDraft(text, question)
  const answer = await ctx.ask('approve', {
    question: { round: drafts.length + 1, title, text },
    schema: approval,
  })
  const said =
    answer.status === 'answered' ? answer.value : { approved: false as const, remark: 'nobody answered' }
  state.drafts.push({ title, text, passages: matches.map(({ id }) => id), writer, ...said })
  if (said.approved) state.phase = 'publish'
  return next()
}

/** Publishes the approved draft, once, whatever happens meanwhile. */
async function publish(ctx: AskCtx, state: AskState): Promise<TurnEnd<Published>> {
  const { title, text } = ctx.current(state.drafts.at(-1)) ?? { title: '', text: '' }
  const brief = { run: ctx.run, title, text }
  const { number } = await ctx.once(
    'publish',
    {
      needs: ['publish'],
      timeout: '10s',
      verify: ({ idempotencyKey, signal }) => ctx.use.publish.lookup(idempotencyKey, signal),
    },
    ({ idempotencyKey, signal }) => ctx.use.publish.publish(brief, idempotencyKey, signal),
  )
  await ctx.artifact('brief.md', text, { type: 'text/markdown' })
  state.published = number
  return done({ title, number })
}

function passagesOf(
  { title, source }: ListedSource,
  index: number,
  read: ReadResult | undefined,
): readonly Passage[] {
  if (read === undefined || 'failed' in read) return []
  const where = source.kind === 'url' ? { title, url: source.url } : { title }
  return cutPassages(read.text, read.type).map((cut, at) => ({
    id: `${String(index)}.${String(at)}`,
    ...where,
    ...cut,
  }))
}

function noteOf({ title, source }: ListedSource, read: ReadResult | undefined, passages: number): SourceNote {
  const where = source.kind === 'url' ? { title, url: source.url } : { title }
  if (read === undefined || 'failed' in read)
    return { ...where, chars: 0, passages, ok: false, note: read?.failed ?? 'it was not read' }
  return {
    ...where,
    chars: read.text.length,
    passages,
    ok: true,
    ...(read.note === undefined ? {} : { note: read.note }),
  }
}

export { extractWriter } from './agent/extract-writer.ts'
export { modelWriter, type ModelSettings } from './agent/model-writer.ts'
export { readCapped } from './agent/read-capped.ts'
export type {
  AskState,
  Brief,
  Draft,
  FetchText,
  Publish,
  Published,
  Question,
  Receipt,
  Source,
  SourceNote,
  Writer,
} from './agent/types.ts'
