import DOMPurify from 'dompurify'
import { marked } from 'marked'
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'

/** Markdown from a document or a model: rendered without anything that could run, load or pretend to be the page. */
export function Markdown({
  text,
  streaming = false,
}: {
  readonly text: string
  readonly streaming?: boolean
}): JSX.Element {
  const html = useMemo(() => render(text), [text])
  return <div class={streaming ? 'prose streaming' : 'prose'} dangerouslySetInnerHTML={{ __html: html }} />
}

function render(text: string): string {
  const fragment = DOMPurify.sanitize(marked.parse(text, { async: false }), {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: ['style', 'img', 'form', 'input', 'button', 'video', 'audio', 'svg', 'math'],
    FORBID_ATTR: ['style', 'class', 'id', 'name'],
  })
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank'
    link.rel = 'noopener noreferrer'
  }
  // The page has a heading of its own for what the draft answers.
  const holder = document.createElement('div')
  holder.append(fragment)
  return holder.innerHTML.replace(
    /<(\/?)h([1-4])\b/g,
    (_, slash: string, level: string) => `<${slash}h${String(Number(level) + 2)}`,
  )
}
