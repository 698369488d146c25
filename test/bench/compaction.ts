import jsonPatch from 'fast-json-patch'
import { enablePatches, produceWithPatches } from 'immer'
import { create } from 'mutative'
import { createDraft, diff, encodeValue } from '@waystone/core'
import { atMost, quantile, report, round } from './_report.ts'

// What an agent does whose context is full: it drops the older half of 10,000 messages, 10 MB, and goes on. How large the
// record of that is, and how long it takes to make, beside what libraries for patches make of it.

interface Chat {
  messages: { role: string; text: string }[]
}

const messages = 10_000
const rounds = 7
/** The aim of issue "A checkpoint costs what changed". */
const bytesMax = 500

enablePatches()

function chatOf(): Chat {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(22)
  return {
    messages: Array.from({ length: messages }, (_, index) => ({
      role: index % 2 ? 'assistant' : 'user',
      text: `${String(index)} ${text}`,
    })),
  }
}

/** The change, written as it is for any of them. */
function dropHalf(chat: Chat): void {
  chat.messages.splice(0, messages / 2)
  chat.messages.push({ role: 'user', text: 'What did we say about that?' })
}

const ways: Readonly<Record<string, (chat: Chat) => unknown>> = {
  waystone(chat) {
    const { draft, finish } = createDraft(chat)
    dropHalf(draft)
    return diff(chat as never, finish() as never)
  },
  'waystone, without a draft': (chat) => {
    const next = structuredClone(chat)
    dropHalf(next)
    return diff(chat as never, next as never)
  },
  immer: (chat) => produceWithPatches(chat, dropHalf)[1],
  mutative: (chat) => create(chat, dropHalf, { enablePatches: true })[1],
  'fast-json-patch'(chat) {
    const next = structuredClone(chat)
    dropHalf(next)
    return jsonPatch.compare(chat, next)
  },
}

const chat = chatOf()
const stateBytes = JSON.stringify(encodeValue(chat)).length
const figures = Object.entries(ways).map(([way, change]) => {
  const times: number[] = []
  let bytes = 0
  for (let index = 0; index < rounds; index += 1) {
    const from = performance.now()
    const record = change(chat)
    times.push(performance.now() - from)
    bytes = JSON.stringify(record).length
  }
  return { way, bytes, ms: round(quantile(times, 0.5)) }
})
const [ours] = figures
report(
  figures.map(
    ({ way, bytes, ms }) =>
      `${way.padEnd(26)} ${String(bytes).padStart(10)} B  ${ms.toFixed(1).padStart(8)} ms`,
  ),
  {
    name: 'compaction',
    stateBytes,
    figures,
    aims: [
      atMost('half of a context of 10 MB is dropped: its record', ours?.bytes ?? Infinity, bytesMax, 'B'),
    ],
  },
)
