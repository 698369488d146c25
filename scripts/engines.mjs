// Finds the browser engines that the end-to-end tests drive, and says what to install for those it does not find.
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * What each engine needs on this machine.
 * @type {Record<import('./engines.mjs').EngineName, { variable?: string, commands: string[][], packages: string[] }>}
 */
const needs = {
  chromium: {
    variable: 'CHROMIUM',
    commands: [['chromium', 'chromium-browser', 'google-chrome']],
    packages: ['chromium'],
  },
  firefox: { variable: 'FIREFOX', commands: [['firefox-esr', 'firefox']], packages: ['firefox-esr'] },
  // MiniBrowser is looked for apart: distributions keep it in a library folder, outside PATH.
  webkit: { commands: [['WebKitWebDriver'], ['Xvfb']], packages: ['webkit2gtk-driver', 'xvfb'] },
}

/** @type {import('./engines.mjs').EngineName[]} */
export const engineNames = ['chromium', 'firefox', 'webkit']

/** @param {import('./engines.mjs').EngineName} name */
export function findEngine(name) {
  const need = needs[name]
  const chosen = need.variable === undefined ? undefined : process.env[need.variable]
  /** @type {string[]} */
  const paths = []
  /** @type {string[]} */
  const missing = []
  for (const [index, names] of need.commands.entries()) {
    const found = index === 0 && chosen ? (isExecutable(chosen) ? chosen : undefined) : findCommand(names)
    if (found === undefined)
      missing.push(index === 0 && chosen ? `${need.variable}=${chosen}` : names.join(' or '))
    else paths.push(found)
  }
  if (name === 'webkit') {
    const browser = findMiniBrowser()
    if (browser === undefined) missing.push('MiniBrowser')
    else paths.push(browser)
  }
  return { name, paths, missing, packages: need.packages, advice: adviceFor(name, missing, need) }
}

/**
 * @param {string} name
 * @param {string[]} missing
 * @param {{ variable?: string, packages: string[] }} need
 */
function adviceFor(name, missing, need) {
  if (missing.length === 0) return ''
  const choose = need.variable === undefined ? '' : `, or set ${need.variable} to the path of the program`
  return `${name} is missing (${missing.join(', ')}): install it with "apt-get install --no-install-recommends ${need.packages.join(' ')}"${choose}`
}

/** @param {string[]} names */
function findCommand(names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  for (const name of names) {
    for (const folder of folders) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name)
    }
  }
  return undefined
}

function findMiniBrowser() {
  for (const root of ['/usr/lib', '/usr/libexec', '/usr/lib64']) {
    for (const first of list(root)) {
      // Debian has /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1, Fedora /usr/libexec/webkit2gtk-4.1.
      const folders = first.startsWith('webkit')
        ? [first]
        : list(join(root, first)).map((inner) => join(first, inner))
      for (const folder of folders) {
        if (!/(^|\/)webkit2?gtk-[\d.]+$/.test(folder)) continue
        const path = join(root, folder, 'MiniBrowser')
        if (isExecutable(path)) return path
      }
    }
  }
  return undefined
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
