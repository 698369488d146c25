import { Parser } from 'htmlparser2'

const skipped = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'nav',
  'footer',
  'aside',
  'form',
  'button',
  'head',
])
const inline = new Set([
  'a',
  'abbr',
  'b',
  'code',
  'em',
  'i',
  'kbd',
  'mark',
  'q',
  's',
  'small',
  'span',
  'strong',
  'sub',
  'sup',
  'time',
  'u',
  'var',
  'wbr',
])

/** The readable text of a page as Markdown: headings, paragraphs, lists and code; nothing of its dress. */
export function htmlToMarkdown(html: string): string {
  const blocks: string[] = []
  let text = ''
  let prefix = ''
  let skipping = 0
  let code: string | undefined

  const end = (): void => {
    const line = text.replace(/\s+/g, ' ').trim()
    if (line !== '') blocks.push(prefix + line)
    text = ''
    prefix = ''
  }
  const parser = new Parser({
    onopentag(name) {
      if (skipped.has(name)) skipping += 1
      if (skipping > 0) return
      if (name === 'pre') {
        end()
        code = ''
      } else if (name === 'code' && code === undefined) text += '`'
      else if (name === 'br') text += ' '
      else if (!inline.has(name)) {
        end()
        if (/^h[1-6]$/.test(name)) prefix = `${'#'.repeat(Number(name[1]))} `
        if (name === 'li') prefix = '- '
      }
    },
    ontext(data) {
      if (skipping > 0) return
      if (code === undefined) text += data.replace(/</g, '\\<')
      else code += data
    },
    onclosetag(name) {
      if (skipped.has(name)) skipping -= 1
      if (skipping > 0 || skipped.has(name)) return
      if (name === 'pre') {
        if (code !== undefined && code.trim() !== '')
          blocks.push(`\`\`\`\n${code.replace(/^\n+|\s+$/g, '')}\n\`\`\``)
        code = undefined
      } else if (name === 'code' && code === undefined) text += '`'
      else if (!inline.has(name) && name !== 'br') end()
    },
  })
  parser.write(html)
  parser.end()
  end()
  return blocks.join('\n\n').replace(/\n\n(?=- )/g, '\n')
}
