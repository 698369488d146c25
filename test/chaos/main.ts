import process, { argv, exit, stderr } from 'node:process'
import { chaos, type ChaosEngine } from './chaos.ts'
import { numberOf, reportChaos } from './report-chaos.ts'

// npm run test:chaos: kills real browsers and a real workerd, and looks for what was acknowledged.

const engines: readonly ChaosEngine[] = ['chromium', 'firefox', 'webkit', 'workerd']
const engine = engines.find((name) => name === argv[argv.indexOf('--engine') + 1])
if (engine === undefined) {
  stderr.write(`Name an engine: --engine ${engines.join('|')}\n`)
  exit(1)
}
/** Ctrl-C ends what was started, and tells what was counted. */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
})
const options = {
  stopped,
  engine,
  kills: numberOf('--kills', 60),
  seed: numberOf('--seed', 1),
  takeOvers: numberOf('--takeovers', 20),
  tell: (line: string) => void stderr.write(`${line}\n`),
}
const began = Date.now()
const tally = await chaos(options)
reportChaos(options, tally, (Date.now() - began) / 1_000)
const { lost, startedTwice, ranAgain, divergences, wrong } = tally
exit([lost, startedTwice, ranAgain, divergences, wrong].every((one) => one.length === 0) ? 0 : 1)
