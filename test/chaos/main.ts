import process, { argv, exit, stderr } from 'node:process'
import { chaos, type ChaosEngine } from './chaos.ts'
import { numberOf, reportChaos } from './report-chaos.ts'
import { isSound, reportSoak } from './report-soak.ts'
import { soak } from './soak.ts'

// npm run test:chaos: kills real browsers and a real workerd, and looks for what was acknowledged. With `--soak`: many runs in
// use at an edge that is killed and deployed anew all the time.

const engines: readonly ChaosEngine[] = ['chromium', 'firefox', 'webkit', 'workerd']
const tell = (line: string): void => void stderr.write(`${line}\n`)
const began = Date.now()
exit((await (argv.includes('--soak') ? soakAll() : killAll())) ? 0 : 1)

async function soakAll(): Promise<boolean> {
  const options = {
    runs: numberOf('--runs', 200),
    kills: numberOf('--kills', 20),
    turns: numberOf('--turns', 40),
    seed: numberOf('--seed', 1),
    tell,
  }
  const soaked = await soak(options)
  reportSoak(options, soaked, (Date.now() - began) / 1_000)
  return isSound(soaked, options.runs)
}

async function killAll(): Promise<boolean> {
  const engine = engines.find((name) => name === argv[argv.indexOf('--engine') + 1])
  if (engine === undefined) {
    stderr.write(`Name an engine: --engine ${engines.join('|')}, or --soak\n`)
    return false
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
    tell,
  }
  const tally = await chaos(options)
  reportChaos(options, tally, (Date.now() - began) / 1_000)
  const { lost, startedTwice, ranAgain, divergences, wrong } = tally
  return [lost, startedTwice, ranAgain, divergences, wrong].every((one) => one.length === 0)
}
