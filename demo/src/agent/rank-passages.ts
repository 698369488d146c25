import MiniSearch from 'minisearch'
import type { Match, Passage } from './types.ts'
import { wishesIn } from './wishes.ts'

const stopWords = new Set(
  (
    'a about all an and any are as at be been but by can could do does for from get had has have how i if in into is it its ' +
    'just like make may me more my need no not of on only or our should show so some than that the their them then there ' +
    'these they this to too us use used uses using want was way we were what when where which while who why will with ' +
    'would you your please tell write add drop less without longer shorter short brief concise detail details'
  ).split(' '),
)
/** Passages of one source in one draft. */
const perSourceMax = 3
/** What fits less than this, compared with the best, is left out. */
const shareMin = 0.25

/** The passages that fit a question and the remarks about earlier drafts, best first. */
export function rankPassages(
  passages: readonly Passage[],
  about: { readonly question: string; readonly remark: string },
): readonly Match[] {
  const index = new MiniSearch<Passage>({
    fields: ['title', 'heading', 'prose', 'code'],
    processTerm: termOf,
    extractField: (passage, field) => fieldsOf(passage)[field] ?? '',
    searchOptions: {
      // The words of an example are mostly names.
      boost: { heading: 2.2, title: 1.6, code: 0.3 },
      prefix: (term) => term.length > 3,
      fuzzy: (term) => (term.length > 4 ? 0.2 : false),
      weights: { prefix: 0.3, fuzzy: 0.2 },
    },
  })
  index.addAll(passages)
  // A remark is about what the draft lacks: its words weigh more than those of the question.
  const queries = [about.question, about.remark, about.remark].filter((query) => query.trim() !== '')
  const found = index.search({ combineWith: 'OR', queries })
  const remarked = new Set(about.remark.split(/[^\p{L}\p{N}]+/u).flatMap((word) => termOf(word) ?? []))
  const weigh = (terms: Iterable<string>): number =>
    [...new Set(terms)].reduce((sum, term) => sum + (remarked.has(term) ? 3 : 1), 0)
  const all = weigh(found.flatMap(({ queryTerms }) => queryTerms))
  const ranked = found
    // A passage with more of the words fits better than one that repeats a single one.
    .map(({ id, score, queryTerms }) => ({ id: String(id), score: (score * weigh(queryTerms)) / all }))
    .sort((a, b) => b.score - a.score)
  return choose(ranked, passages, wishesIn(about.remark).quotations)
}

function fieldsOf({ id, title, heading, text }: Passage): Readonly<Record<string, string>> {
  const code = (text.match(/```[\s\S]*?(```|$)/g) ?? []).join('\n')
  return { id, title, heading, prose: text.replace(/```[\s\S]*?(```|$)/g, ''), code }
}

interface Found {
  readonly id: string
  readonly score: number
}

function choose(found: readonly Found[], passages: readonly Passage[], count: number): readonly Match[] {
  const best = found[0]?.score ?? 0
  const sourceOf = new Map(passages.map(({ id, url, title }) => [id, url ?? title]))
  const taken = new Map<string, number>()
  const chosen: Match[] = []
  for (const { id, score } of found) {
    const source = sourceOf.get(id) ?? ''
    const before = taken.get(source) ?? 0
    if (chosen.length === count || score < best * shareMin) break
    if (before === perSourceMax) continue
    taken.set(source, before + 1)
    chosen.push({ id, score: Math.round(score * 100) / 100 })
  }
  return chosen
}

/** Words as they are compared: lower case, without the commonest endings; those that say nothing are dropped. */
function termOf(term: string): string | null {
  const word = term.toLowerCase()
  if (word.length < 2 || stopWords.has(word)) return null
  if (word.length <= 3) return word
  return word
    .replace(/ies$/, 'y')
    .replace(/(ss|sh|ch|x)es$/, '$1')
    .replace(/([^s])s$/, '$1')
    .replace(/(?<=.{3})ing$/, '')
    .replace(/(?<=.{3})ed$/, '')
}
