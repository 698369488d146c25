import type { Reply } from './scripted-model.ts'

/** Looks up three cities at once, then wants to send a mail, then says so. */
export function replyTo(toolAnswers: number): Reply {
  const cities = ['Paris', 'Rome', 'Oslo']
  if (toolAnswers === 0)
    return { calls: cities.map((city, n) => ({ id: `w${String(n)}`, tool: 'weather', input: { city } })) }
  if (toolAnswers === 1)
    return {
      text: ['I will ', 'write.'],
      calls: [{ id: 'm1', tool: 'sendMail', input: { to: 'ann', text: 'Sun!' } }],
    }
  return { text: ['It is ', 'sunny, ', 'and Ann knows.'] }
}
