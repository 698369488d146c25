import { deltaChannelHistoryTests, specTest } from '@langchain/langgraph-checkpoint-validation'
import { timerWait, type Clock, type RunStorage } from '@waystone/core'
import { Collector } from './collector.ts'
import { makeExpect } from './expect.ts'
import { WaystoneSaver } from './waystone-saver.ts'

/** An empty storage, and how to let go of it. */
export interface SuiteStorage {
  readonly storage: RunStorage
  close(): Promise<void>
}

/** Defines the whole suite of LangGraph for savers, over storages of one kind. It uses the globals of Vitest. */
export function defineSaverSuite(newStorage: () => Promise<SuiteStorage>): void {
  const opened = new Map<WaystoneSaver, SuiteStorage>()
  const initializer = {
    checkpointerName: 'WaystoneSaver',
    async createCheckpointer() {
      const storage = await newStorage()
      const saver = new WaystoneSaver({ storage: storage.storage, me: 'device', clock, random })
      opened.set(saver, storage)
      return saver
    },
    async destroyCheckpointer(saver: WaystoneSaver) {
      await saver.close()
      await opened.get(saver)?.close()
      opened.delete(saver)
    },
  }
  specTest(initializer)
  deltaChannelHistoryTests(initializer)
}

/** The suite, to be run where Vitest does not run. */
export function collectSaverSuite(newStorage: () => Promise<SuiteStorage>): Collector {
  const collector = new Collector()
  Object.assign(globalThis, collector.globals, { expect: makeExpect() })
  defineSaverSuite(newStorage)
  return collector
}

export const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))

export const clock: Clock = {
  now: () => Date.now(),
  task: () => new Promise((resolve) => setTimeout(resolve)),
  wait: timerWait((fire, ms) => {
    const timer = setTimeout(fire, ms)
    return () => clearTimeout(timer)
  }),
}
