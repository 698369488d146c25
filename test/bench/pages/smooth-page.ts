import { openWaystone } from '@waystone/browser'
import { talker } from './smooth-agent.ts'

/** Runs so many turns in a worker and shows, in every frame, what an application would: the newest message and how many. */
const talk = async (turns: number): Promise<number> => {
  const waystone = await openWaystone({ worker: () => new Worker('/smooth-worker.js', { type: 'module' }) })
  const run = await waystone.start(talker, { turns })
  const [count, newest] = [document.createElement('p'), document.createElement('p')]
  document.body.append(count, newest)
  let isAsked = false
  run.subscribe(({ state }) => {
    if (isAsked) return
    isAsked = true
    requestAnimationFrame(() => {
      isAsked = false
      count.textContent = `${String(state.messages.length)} messages`
      newest.textContent = state.messages.at(-1) ?? ''
    })
  })
  const messages = (await run.result()) as number
  await waystone.close()
  return messages
}

Object.assign(globalThis, { talk })
