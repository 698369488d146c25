/** What the world of the test says to a task: always the same, so that two runs can be compared. */
export function answerTo(task: string, about: string): string {
  const [verb = '', id = ''] = task.split(' ')
  switch (verb) {
    case 'plan':
      return Array.from({ length: 10 }, (_, n) => `q${String(n)}`).join('\n')
    case 'search':
      return Array.from({ length: 4 }, (_, n) => `${id}-s${String(n)}`).join('\n')
    case 'read':
      return `What ${id} says. `.repeat(20)
    case 'rate':
      return String((about.length * 7 + [...id].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 0)) % 97)
    default:
      return `${task} of ${String(about.length)} characters`
  }
}
