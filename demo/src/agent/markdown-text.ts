import type { Token, Tokens } from 'marked'

/** The words of a piece of Markdown: code stays code, links and emphasis become plain text, pictures go. */
export function inlineText(tokens: readonly Token[] | undefined): string {
  return (tokens ?? []).map(inlineWords).join('')
}

function inlineWords(token: Token): string {
  switch (token.type) {
    case 'codespan':
      return `\`${(token as Tokens.Codespan).text}\``
    case 'image':
    case 'html':
      return ''
    case 'br':
      return ' '
    case 'text':
    case 'escape': {
      const { tokens, text } = token as Tokens.Text
      return tokens === undefined ? escapeMarkdown(text) : inlineText(tokens)
    }
    default:
      return 'tokens' in token ? inlineText(token.tokens) : ''
  }
}

/** Text that came out of Markdown goes back in as the same text. */
function escapeMarkdown(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[<*[\]]/g, '\\$&')
}

/** The items of a list, each with what is nested in it, as Markdown. */
export function listItems(list: Tokens.List, indent = ''): readonly string[] {
  return list.items.map((item, index) => {
    const marker = list.ordered ? `${String(Number(list.start || 1) + index)}. ` : '- '
    const words: string[] = []
    const nested: string[] = []
    for (const token of item.tokens) {
      if (token.type === 'list')
        nested.push(...listItems(token as Tokens.List, `${indent}${' '.repeat(marker.length)}`))
      else if (token.type !== 'code') words.push('tokens' in token ? inlineText(token.tokens) : '')
    }
    return [`${indent}${marker}${words.join(' ').trim()}`, ...nested].join('\n')
  })
}

/** A code block, cut at whole lines when it is long. */
export function codeBlock({ text, lang }: Tokens.Code, linesMax: number): string {
  const lines = text.split('\n')
  const shown = lines.length > linesMax ? [...lines.slice(0, linesMax), '…'] : lines
  return ['```' + (lang ?? '').split(/\s/, 1).join(''), ...shown, '```'].join('\n')
}
