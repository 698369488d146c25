import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A code block of a page of the documentation. */
export interface Example {
  /** The file that its first line names. */
  readonly name: string
  readonly code: string
  /** The text that the page shows right after it. */
  readonly output: string | undefined
  /** Marked by the page, with `ts not-run`: it is type-checked and bundled, and nothing else. */
  readonly notRun: boolean
}

/** A page and its examples, in their order. */
export interface Page {
  readonly name: string
  readonly examples: readonly Example[]
}

/** The pages of a folder. Throws for a block of code without a name, and for a name that a page has used. */
export function readPages(folder: string): readonly Page[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'))
  return names.toSorted().map((name) => {
    const examples = examplesOf(name, readFileSync(join(folder, name), 'utf8'))
    return { name: name.slice(0, -'.md'.length), examples }
  })
}

/** Whether an example is an entry point: a test, or a script whose output the page shows. */
export function isRun({ name, output, notRun }: Example): boolean {
  return !notRun && (name.endsWith('.test.ts') || output !== undefined)
}

/** Whether an example opens the runs of a browser, and so has to run in one. */
export function needsBrowser({ code }: Example): boolean {
  return code.includes(`from '@waystone/browser'`)
}

/** Whether an example uses what Node has, and so is for servers and command lines. */
export function needsNode({ code }: Example): boolean {
  return /from 'node:/.test(code)
}

/** The examples of a page that no test comes to: not run, not imported by one that is, and not marked. */
export function forgotten({ examples }: Page): readonly string[] {
  const reached = new Set<string>()
  const reach = (example: Example): void => {
    if (reached.has(example.name)) return
    reached.add(example.name)
    for (const [, file] of example.code.matchAll(/from '\.\/([^']+)'/g)) {
      const imported = examples.find(({ name }) => name === file)
      if (imported) reach(imported)
    }
  }
  for (const example of examples) if (isRun(example) || example.notRun) reach(example)
  return examples.map(({ name }) => name).filter((name) => !reached.has(name))
}

function examplesOf(page: string, markdown: string): readonly Example[] {
  const examples: Example[] = []
  const blocks = [...markdown.matchAll(/^```(\w*)([^\n]*)\n([\s\S]*?)^```$/gm)]
  for (const [index, [, language, mark, code = '']] of blocks.entries()) {
    if (language !== 'ts') continue
    const name = /^\/\/ ([\w.-]+\.ts)\n/.exec(code)?.[1]
    if (name === undefined) throw new Error(`${page}: a block names no file:\n${code}`)
    if (examples.some((one) => one.name === name)) throw new Error(`${page}: two blocks are named ${name}`)
    const after = blocks[index + 1]
    const output = after?.[1] === 'text' ? after[3]?.trimEnd() : undefined
    examples.push({ name, code, output, notRun: mark?.trim() === 'not-run' })
  }
  return examples
}
