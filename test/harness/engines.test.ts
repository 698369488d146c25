import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { engineNames, launchEngine, skipWithout, type Engine } from './engines.ts'
import { serveStatic, type StaticServer } from './static-server.ts'

const page = `<!doctype html><title>Harness</title>
<body><p id="out">empty</p><input id="name"><button id="go" disabled>Go</button>
<script>
  const field = document.querySelector('#name'), out = document.querySelector('#out')
  field.addEventListener('input', () => { document.querySelector('#go').disabled = field.value === '' })
  field.addEventListener('keydown', (event) => { if (event.key === 'Enter') out.textContent = 'entered ' + field.value })
  document.querySelector('#go').addEventListener('click', () => { out.textContent = 'hello ' + field.value })
  const open = () => new Promise((resolve, reject) => {
    const request = indexedDB.open('harness', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('values')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const put = async (key, value) => {
    const db = await open()
    const tx = db.transaction('values', 'readwrite')
    tx.objectStore('values').put(value, key)
    await new Promise((resolve, reject) => { tx.oncomplete = resolve; tx.onabort = () => reject(tx.error) })
    db.close()
    return true
  }
  const get = async (key) => {
    const db = await open()
    const request = db.transaction('values').objectStore('values').get(key)
    await new Promise((resolve, reject) => { request.onsuccess = resolve; request.onerror = () => reject(request.error) })
    db.close()
    return request.result
  }
</script>`

let server: StaticServer
let folder = ''
beforeAll(async () => {
  server = await serveStatic({ 'index.html': page })
  folder = await mkdtemp(join(tmpdir(), 'waystone-engines-'))
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

let engine: Engine | undefined
afterEach(async () => {
  await engine?.close()
  engine = undefined
})

describe.each(engineNames)('%s', (name) => {
  it('opens, evaluates, fills, presses, clicks, waits and takes a picture', async (context) => {
    skipWithout(name, context)
    engine = await launchEngine(name)
    const tab = await engine.newPage({ viewport: { width: 800, height: 600 } })
    await tab.goto(`${server.url}/`)
    expect(await tab.evaluate('document.title')).toBe('Harness')
    expect(await tab.evaluate('Promise.resolve({ a: [1, null], b: "ä" })')).toEqual({ a: [1, null], b: 'ä' })
    expect(await tab.evaluate('undefined')).toBeUndefined()
    expect(await tab.evaluate('[innerWidth, innerHeight, crossOriginIsolated]')).toEqual([800, 600, true])
    await expect(tab.evaluate('Promise.reject(new Error("no luck"))')).rejects.toThrow('no luck')

    await tab.fill('#name', 'first')
    await tab.fill('#name', 'Ada')
    await tab.press('Enter')
    await tab.waitFor('document.querySelector("#out").textContent === "entered Ada"')
    await tab.click('#go')
    await tab.waitFor('document.querySelector("#out").textContent === "hello Ada"')

    const file = join(folder, `${name}.png`)
    await tab.screenshot(file)
    expect([...(await readFile(file)).subarray(1, 4)]).toEqual([...Buffer.from('PNG')])
  })

  it('says the expression and what the page shows when a wait is over', async (context) => {
    skipWithout(name, context)
    engine = await launchEngine(name)
    const tab = await engine.newPage()
    await tab.goto(`${server.url}/`)
    const wait = tab.waitFor('window.never === 1', { timeoutMs: 100 })
    await expect(wait).rejects.toThrow(/Not true within 100 ms: window\.never === 1[^]*empty/)
  })

  it('shares IndexedDB between the pages of one engine', async (context) => {
    skipWithout(name, context)
    engine = await launchEngine(name)
    const [one, two] = [await engine.newPage(), await engine.newPage()]
    await one.goto(`${server.url}/`)
    await two.goto(`${server.url}/`)
    expect(await one.evaluate('put("k", { list: [1, 2] })')).toBe(true)
    expect(await two.evaluate('get("k")')).toEqual({ list: [1, 2] })
    expect(await one.evaluate('get("k")')).toEqual({ list: [1, 2] })
    await one.close()
    expect(await two.evaluate('get("k")')).toEqual({ list: [1, 2] })
  })
})

describe.each(['chromium', 'firefox'] as const)('%s', (name) => {
  it('finds its profile again after it was killed', async (context) => {
    skipWithout(name, context)
    const profileDir = join(folder, `${name}-profile`)
    engine = await launchEngine(name, { profileDir })
    const before = await engine.newPage()
    await before.goto(`${server.url}/`)
    await before.evaluate('put("k", "kept")')
    await engine.kill()

    engine = await launchEngine(name, { profileDir })
    const after = await engine.newPage()
    await after.goto(`${server.url}/`)
    expect(await after.evaluate('get("k")')).toBe('kept')
  })
})

describe('chromium', () => {
  it('kills the renderer of one page and leaves the other alone', async (context) => {
    skipWithout('chromium', context)
    const chromium = await launchEngine('chromium')
    engine = chromium
    const [victim, witness] = [await chromium.newPage(), await chromium.newPage()]
    await victim.goto(`${server.url}/`)
    await witness.goto(`${server.url}/`)
    expect(await victim.rendererPid()).not.toBe(await witness.rendererPid())

    const pending = victim.evaluate('new Promise(() => undefined)')
    const outcome = expect(pending).rejects.toThrow()
    await victim.killRenderer()
    await outcome
    expect(await witness.evaluate('1 + 1')).toBe(2)

    // The tab can be loaded again, as a person would after a crash.
    const again = await chromium.newPage()
    await again.goto(`${server.url}/`)
    expect(await again.evaluate('document.title')).toBe('Harness')
  })

  it('shows a page in the dark', async (context) => {
    skipWithout('chromium', context)
    engine = await launchEngine('chromium')
    const tab = await engine.newPage({ colorScheme: 'dark' })
    await tab.goto(`${server.url}/`)
    expect(await tab.evaluate('matchMedia("(prefers-color-scheme: dark)").matches')).toBe(true)
  })

  it('cuts its pages off the network', async (context) => {
    skipWithout('chromium', context)
    engine = await launchEngine('chromium')
    const tab = await engine.newPage()
    await tab.goto(`${server.url}/`)
    const reach = 'fetch("/").then(() => true, () => false)'
    await tab.setOffline(true)
    expect(await tab.evaluate(reach)).toBe(false)
    await tab.setOffline(false)
    expect(await tab.evaluate(reach)).toBe(true)
  })
})
