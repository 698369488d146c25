import type { DraftRequest, Passage } from './types.ts'
import { wishesIn } from './wishes.ts'

/** A brief made of quotations: the same text for the same request, always. */
export function composeBrief({ question, passages, remark }: DraftRequest): string {
  const wishes = wishesIn(remark)
  const parts = [`# ${headline(question)}`]
  const last = remark.split('\n').at(-1)?.trim() ?? ''
  if (last !== '') parts.push(`Revised after the remark “${last}”.`)
  parts.push(summary(passages))
  passages.forEach((passage, index) => {
    parts.push(
      introduce(passage, index, passages[index - 1]),
      quote(wishes.code ? passage.text : withoutCode(passage.text)),
    )
  })
  parts.push('---', '*Assembled from quotations, without a language model.*')
  return `${parts.join('\n\n')}\n`
}

/** The first line of a draft without its marks. */
export function titleOfDraft(text: string, question: string): string {
  const line = text.split('\n').find((one) => one.trim() !== '') ?? ''
  const title = line
    .replace(/^#+\s*/, '')
    .replace(/\*\*/g, '')
    .trim()
  return title === '' ? headline(question) : title.slice(0, 200)
}

function headline(question: string): string {
  const words = question.replace(/\s+/g, ' ').trim()
  return words.slice(0, 1).toUpperCase() + words.slice(1, 160)
}

function summary(passages: readonly Passage[]): string {
  if (passages.length === 0)
    return 'None of the sources says anything about this. Add a source that does, or ask in other words.'
  const titles = [...new Set(passages.map(({ title }) => title))]
  const list =
    titles.length === 1 ? titles[0] : `${titles.slice(0, -1).join(', ')} and ${titles.at(-1) ?? ''}`
  return passages.length === 1
    ? `One passage answers this, in ${list ?? ''}.`
    : `${number(passages.length)} passages answer this, in ${list ?? ''}. The best match comes first.`
}

function introduce(passage: Passage, index: number, before: Passage | undefined): string {
  const source = linked(passage)
  const heading = passage.heading === '' ? '' : `**${passage.heading}**`
  if (before?.title === passage.title)
    return heading === '' || heading === `**${before.heading}**`
      ? `It goes on in ${source}:`
      : `Also there, under ${heading} (${source}):`
  if (index === 0) return heading === '' ? `From ${source}:` : `${heading}, in ${source}:`
  return heading === '' ? `${source} adds:` : `${source} has, under ${heading}:`
}

function linked({ title, url }: Passage): string {
  return url === undefined
    ? `*${title}* (your file)`
    : `[${title}](${url.replace(/[()\s]/g, encodeURIComponent)})`
}

function quote(text: string): string {
  return text.replace(/^/gm, '> ').replace(/^> $/gm, '>')
}

function withoutCode(text: string): string {
  const prose = text
    .replace(/```[\s\S]*?```/g, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
  return prose === '' ? text : prose
}

function number(count: number): string {
  return ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight'][count] ?? String(count)
}
