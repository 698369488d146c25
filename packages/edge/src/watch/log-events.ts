import type { Watch } from './edge-event.ts'

/** Writes each event as one line of JSON, as `wrangler tail` and log services take them: `log` is `console.log`. */
export function logEvents(log: (line: string) => void): Watch {
  return (event) => log(JSON.stringify({ waystone: event.type, time: new Date().toISOString(), ...event }))
}
