import { marked, type Token, type Tokens } from 'marked'
import { htmlToMarkdown } from './html-to-markdown.ts'
import { codeBlock, inlineText, listItems } from './markdown-text.ts'

/** A passage before it knows its source. */
export interface Cut {
  readonly heading: string
  readonly text: string
}

/** A passage ends when it is longer than this, at the end of a paragraph. */
const passageChars = 520
/** An example belongs to the words before it, up to this length together. */
const withExampleCharsMax = 1_000
const exampleLinesMax = 16
const passagesMax = 400
/** Below this a paragraph is a badge, a link or a caption. */
const wordsMin = 4
const dullHeadings = /^(table of )?contents$|^(licen[cs]e|contribut(ing|ors?)|sponsors?|backers|badges)$/i

/** Cuts a document into passages, each with the headings above it. `type` is a media type or the end of a file name. */
export function cutPassages(text: string, type: string): readonly Cut[] {
  if (/html/i.test(type)) return cutMarkdown(htmlToMarkdown(text))
  if (/markdown|\.mdx?$|\.markdown$/i.test(type)) return cutMarkdown(text)
  // Servers often send Markdown as plain text.
  return /^#{1,6} \S|^```/m.test(text) ? cutMarkdown(text) : cutPlain(text)
}

function cutMarkdown(text: string): readonly Cut[] {
  const cuts: Cut[] = []
  const headings: string[] = []
  let blocks: string[] = []
  let chars = 0
  let endsWithCode = false

  const flush = (): void => {
    const heading = headings
      .filter((name) => name !== '')
      .slice(-2)
      .join(' › ')
    const dull = headings.some((name) => dullHeadings.test(name))
    if (blocks.length > 0 && !dull && cuts.length < passagesMax)
      cuts.push({ heading, text: blocks.join('\n\n') })
    blocks = []
    chars = 0
    endsWithCode = false
  }
  const add = (block: string, isCode = false): void => {
    if (block === '') return
    const example = isCode && !endsWithCode && chars + block.length <= withExampleCharsMax
    if (chars > 0 && chars + block.length > passageChars && !example) flush()
    blocks.push(block)
    chars += block.length
    endsWithCode = isCode
  }
  const visit = (token: Token): void => {
    switch (token.type) {
      case 'heading':
        flush()
        headings.length = (token as Tokens.Heading).depth - 1
        headings[(token as Tokens.Heading).depth - 1] = inlineText(token.tokens).replace(/\\/g, '').trim()
        for (let i = 0; i < headings.length; i++) headings[i] ??= ''
        break
      case 'paragraph':
      case 'text':
        add(worthReading(inlineText('tokens' in token ? token.tokens : undefined).trim()))
        break
      case 'blockquote':
        for (const inner of (token as Tokens.Blockquote).tokens) visit(inner)
        break
      case 'list':
        addList(token as Tokens.List)
        break
      case 'code':
        add(codeBlock(token as Tokens.Code, exampleLinesMax), true)
        break
      case 'table':
        add(token.raw.trim())
        break
      case 'html':
        for (const inner of marked.lexer(htmlToMarkdown(token.raw))) if (inner.type !== 'html') visit(inner)
        break
    }
  }
  /** A long list is several passages, cut between its items. */
  const addList = (list: Tokens.List): void => {
    let part: string[] = []
    for (const item of listItems(list)) {
      if (part.join('\n').length + item.length > passageChars && part.length > 0) {
        add(worthReading(part.join('\n')))
        part = []
      }
      part.push(item)
    }
    add(worthReading(part.join('\n')))
  }
  for (const token of marked.lexer(text)) visit(token)
  flush()
  return cuts
}

function cutPlain(text: string): readonly Cut[] {
  const cuts: Cut[] = []
  let part = ''
  const flush = (): void => {
    if (worthReading(part) !== '' && cuts.length < passagesMax) cuts.push({ heading: '', text: part })
    part = ''
  }
  for (const paragraph of text.split(/\n\s*\n/)) {
    for (const piece of pieces(paragraph.replace(/\s+/g, ' ').trim())) {
      if (part !== '' && part.length + piece.length > passageChars) flush()
      part = part === '' ? piece : `${part}\n\n${piece}`
    }
  }
  flush()
  return cuts
}

/** A paragraph, or its sentences in pieces when it is long. */
function pieces(paragraph: string): readonly string[] {
  if (paragraph.length <= passageChars) return [paragraph]
  const parts: string[] = []
  for (const sentence of paragraph.match(/.{1,500}?([.!?](?=\s)|$)\s*|.{500}/g) ?? []) {
    const last = parts.at(-1)
    if (last !== undefined && last.length + sentence.length <= passageChars)
      parts[parts.length - 1] = last + sentence
    else parts.push(sentence)
  }
  return parts.map((part) => part.trim())
}

function worthReading(block: string): string {
  return block.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length < wordsMin ? '' : block
}
