import { findEngine, type EngineName } from '../../scripts/engines.mjs'
import type { TestContext } from 'vitest'
import { launchChromium, type ChromiumEngine } from './engine-chromium.ts'
import { launchFirefox } from './engine-firefox.ts'
import { launchWebkit } from './engine-webkit.ts'

export type { EngineName } from '../../scripts/engines.mjs'
export type { ChromiumEngine, ChromiumPage } from './engine-chromium.ts'
export { engineNames } from '../../scripts/engines.mjs'

/** One page of a real browser. Expressions are JavaScript source, evaluated in the page. */
export interface EnginePage {
  goto(url: string): Promise<void>
  /** The value of an expression, or of the promise that it gives, as JSON carries it. */
  evaluate<T>(expression: string): Promise<T>
  /** Returns when the expression is truthy; an expression that throws is not true yet. */
  waitFor(expression: string, options?: WaitOptions): Promise<void>
  /** Waits until the element can be seen and is enabled, then clicks it as a pointer would. */
  click(selector: string): Promise<void>
  /** Replaces the text of a field. */
  fill(selector: string, text: string): Promise<void>
  /** Presses a key by its DOM name (`Enter`, `Tab`, `a`) where the focus is. */
  press(key: string): Promise<void>
  screenshot(file: string): Promise<void>
  /** Cuts the page and its workers off the network. Chromium only, throws elsewhere. */
  setOffline(offline: boolean): Promise<void>
  /** SIGKILL to the process that renders this page; returns when the page reports its crash. Chromium only, throws elsewhere. */
  killRenderer(): Promise<void>
  close(): Promise<void>
}

export interface WaitOptions {
  readonly timeoutMs?: number
}

export interface PageOptions {
  readonly viewport?: { readonly width: number; readonly height: number }
  /** Dark on Chromium only, throws elsewhere. */
  readonly colorScheme?: 'light' | 'dark'
}

/** A browser with one profile: its pages share storage, workers and locks, as the tabs of one person do. */
export interface Engine {
  readonly name: EngineName
  newPage(options?: PageOptions): Promise<EnginePage>
  /** SIGKILL to every process of the browser. A profile folder that was passed stays and can be opened again. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface LaunchOptions {
  /** Keeps the profile in this folder, for a later launch to find. Without it the profile goes with the browser. */
  readonly profileDir?: string
  /** Settings of Firefox, by their names in about:config; the others have none. */
  readonly firefoxPrefs?: Readonly<Record<string, boolean | number | string>>
}

/** Starts an engine. Throws, saying what to install, when it is not on this machine. */
export function launchEngine(name: 'chromium', options?: LaunchOptions): Promise<ChromiumEngine>
export function launchEngine(name: EngineName, options?: LaunchOptions): Promise<Engine>
export async function launchEngine(name: EngineName, options: LaunchOptions = {}): Promise<Engine> {
  const found = findEngine(name)
  if (found.missing.length > 0) throw new Error(found.advice)
  const [first, ...rest] = found.paths
  if (first === undefined) throw new Error(`no program for ${name}`)
  switch (name) {
    case 'chromium':
      return launchChromium(first, options)
    case 'firefox':
      return launchFirefox(first, options)
    case 'webkit':
      return launchWebkit(first, rest, options)
  }
}

/**
 * Skips a test whose engine is not on this machine, with a note that says what to install. In CI it does nothing, so that
 * the launch fails the test.
 */
export function skipWithout(name: EngineName, context: Pick<TestContext, 'skip'>): void {
  const found = findEngine(name)
  if (found.missing.length > 0 && !process.env['CI']) context.skip(found.advice)
}
