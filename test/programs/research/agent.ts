import { defineAgent, done, need, next, type Ctx, type StepTools } from '@waystone/core'

/** What the agent asks the world for. The name of a task is also the name of its step. */
export interface Desk {
  /** The text of a source. */
  read(task: string, source: string, tools: StepTools): Promise<string>
  /** What a language model says to a prompt. */
  think(task: string, prompt: string, tools: StepTools): Promise<string>
}

interface Source {
  readonly id: string
  readonly text: string
}

interface Note extends Source {
  readonly claim: string
  readonly doubt: string
}

const needs = { desk: need<Desk>() }
type ResearchCtx = Ctx<typeof needs>

/** So many requests to the world at a time. */
const width = { concurrency: 4 }

/** Plans questions about a topic, reads what there is, takes notes, ranks them and writes a report. */
export const research = defineAgent({
  name: 'research',
  version: 1,
  needs,
  initial: (input: { topic: string }) => ({
    topic: input.topic,
    questions: [] as string[],
    sources: [] as Source[],
    notes: [] as Note[],
    ranked: [] as string[],
  }),
  async turn(ctx, state) {
    const { topic } = state
    if (state.questions.length === 0) {
      state.questions = lines(await think(ctx, 'plan', topic))
      await ctx.label('planned')
      return next()
    }
    if (state.sources.length === 0) {
      state.sources = await readAll(ctx, ctx.current(state.questions))
      await ctx.label('read')
      return next()
    }
    // A turn for every few sources: what is replayed after a crash stays short.
    const batch = ctx.current(state.sources).slice(state.notes.length, state.notes.length + 4)
    if (batch.length > 0) {
      state.notes.push(...(await takeNotes(ctx, batch)))
      if (state.notes.length === state.sources.length) await ctx.label('noted')
      return next()
    }
    if (state.ranked.length === 0) {
      state.ranked = await rank(ctx, ctx.current(state.notes))
      await ctx.label('ranked')
      return next()
    }
    const sections = await write(ctx, ctx.current(state.questions), ctx.current(state.notes))
    const abstract = await think(ctx, 'abstract', sections.join('\n'))
    await ctx.label('written')
    return done({ topic, abstract, sections, sources: ctx.current(state.ranked).slice(0, 10) })
  },
})

/** A step that asks the model. */
function think(ctx: ResearchCtx, task: string, prompt: string): Promise<string> {
  return ctx.step(task, (tools) => ctx.use.desk.think(task, prompt, tools))
}

/** Finds sources for each question and reads them. */
async function readAll(ctx: ResearchCtx, questions: readonly string[]): Promise<Source[]> {
  const found = await ctx.map('search', questions, { ...width, key: String }, async (c, question) =>
    lines(await think(c, `search ${question}`, question)),
  )
  return ctx.map('sources', found.flat(), { ...width, key: String }, async (c, id) => {
    const text = await c.step(`read ${id}`, (tools) => c.use.desk.read(`read ${id}`, id, tools))
    return { id, text }
  })
}

/** What each source claims, and what speaks against it. */
function takeNotes(ctx: ResearchCtx, sources: readonly Source[]): Promise<Note[]> {
  return ctx.map('notes', sources, { ...width, key: ({ id }) => id }, async (c, { id, text }) => {
    const claim = await think(c, `claim ${id}`, text)
    const doubt = await think(c, `doubt ${id}`, claim)
    return { id, text, claim, doubt }
  })
}

/** The ids of the sources, the one that the model gives most points first. */
async function rank(ctx: ResearchCtx, notes: readonly Note[]): Promise<string[]> {
  const rated = await ctx.map('rank', notes, { ...width, key: ({ id }) => id }, async (c, note) => ({
    id: note.id,
    points: Number(await think(c, `rate ${note.id}`, `${note.claim} ${note.doubt}`)),
  }))
  return rated.toSorted((a, b) => b.points - a.points).map(({ id }) => id)
}

/** A section for each question: drafted from its notes, checked, revised. */
function write(ctx: ResearchCtx, questions: readonly string[], notes: readonly Note[]): Promise<string[]> {
  return ctx.map('sections', questions, { ...width, key: String }, async (c, question) => {
    const claims = notes.filter(({ id }) => id.startsWith(question)).map(({ claim }) => claim)
    const draft = await think(c, `draft ${question}`, claims.join(' '))
    const faults = await think(c, `check ${question}`, draft)
    return think(c, `revise ${question}`, `${draft} ${faults}`)
  })
}

function lines(text: string): string[] {
  return text.split('\n')
}
