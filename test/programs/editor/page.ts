import { openSession } from '@waystone/browser'

const query = new URLSearchParams(location.search)
const letter = await openSession({
  id: query.get('letter') ?? 'letter',
  initial: { text: '' },
  edge: { url: query.get('edge') ?? location.origin, token: () => query.get('token') ?? '' },
})

const text = element('text', HTMLTextAreaElement)
const status = element('status', HTMLElement)
/** What stays to be read while the status goes on. */
const note = element('note', HTMLElement)

/** Keystrokes that are not stored yet. */
let typing = 0
text.addEventListener('input', () => {
  const typed = text.value
  typing += 1
  show()
  void letter
    .update((draft) => {
      draft.text = typed
    })
    .catch((error: unknown) => (note.textContent = String(error)))
    .finally(() => {
      typing -= 1
      show()
    })
})

function show(): void {
  const { state, role, sync, head } = letter
  // What others write waits until what is typed here is stored.
  if (typing === 0 && text.value !== state.text) text.value = state.text
  const isSynced = sync.synced?.seq === head.seq
  status.textContent = `${typing > 0 ? 'saving' : 'saved'}, ${isSynced ? 'synced' : 'not synced'}, ${role}`
}
letter.subscribe(show)

element('mark', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  void letter.label(element('name', HTMLInputElement).value).then(showVersions)
})

async function showVersions(): Promise<void> {
  const marked = (await letter.list({ limit: 1_000 })).filter(({ label }) => label !== undefined)
  element('versions', HTMLElement).replaceChildren(
    ...marked.map(({ label, seq }) => {
      const back = document.createElement('button')
      back.textContent = `Back to ${String(label)}`
      back.dataset['version'] = label
      back.addEventListener('click', () => void letter.rewind({ seq }))
      const item = document.createElement('li')
      item.append(back)
      return item
    }),
  )
}
await showVersions()

// What was typed here while another device wrote is never merged in silence, and never lost.
letter.onForked(({ mine, keep, drop }) => {
  const parted = element('parted', HTMLElement)
  element('mine', HTMLElement).textContent = mine.text
  parted.hidden = false
  element('copy', HTMLElement).onclick = async () => {
    const copy = await keep()
    parted.hidden = true
    note.textContent = `kept as ${copy.id}`
  }
  element('drop', HTMLElement).onclick = () => void drop().then(() => (parted.hidden = true))
})

// For the console, and for whoever looks at this page from outside.
Object.assign(globalThis, { letter })

function element<E extends HTMLElement>(id: string, type: abstract new () => E): E {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new Error(`the page has no ${id}`)
}
