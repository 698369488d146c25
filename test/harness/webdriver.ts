/** The part of the W3C WebDriver protocol that the harness needs, spoken with fetch. Paths are relative to the session. */
export interface WebDriverSession {
  get(path: string): Promise<unknown>
  post(path: string, body: object): Promise<unknown>
  delete(path: string): Promise<unknown>
  /** The value of an expression, or of the promise that it gives. */
  execute(expression: string): Promise<unknown>
  /** The id of the first element that a selector finds. */
  find(selector: string): Promise<string>
  press(key: string): Promise<void>
  close(): Promise<void>
}

const scriptTimeoutMs = 120_000
const elementKey = 'element-6066-11e4-a52e-4f735466cecf'

/** Code points that WebDriver gives to the keys that are no characters, https://www.w3.org/TR/webdriver2/#keyboard-actions */
const keyCodes: Readonly<Record<string, string>> = {
  Backspace: '\uE003',
  Tab: '\uE004',
  Enter: '\uE007',
  Shift: '\uE008',
  Control: '\uE009',
  Alt: '\uE00A',
  Escape: '\uE00C',
  Space: ' ',
  PageUp: '\uE00E',
  PageDown: '\uE00F',
  End: '\uE010',
  Home: '\uE011',
  ArrowLeft: '\uE012',
  ArrowUp: '\uE013',
  ArrowRight: '\uE014',
  ArrowDown: '\uE015',
  Delete: '\uE017',
}

/** Opens a session with a driver that listens at a url. */
export async function openSession(url: string, alwaysMatch: object): Promise<WebDriverSession> {
  const created = (await request('POST', `${url}/session`, { capabilities: { alwaysMatch } })) as {
    sessionId: string
  }
  const base = `${url}/session/${created.sessionId}`
  const post = (path: string, body: object) => request('POST', `${base}/${path}`, body)
  await post('timeouts', { script: scriptTimeoutMs, pageLoad: scriptTimeoutMs })
  return {
    get: (path) => request('GET', `${base}/${path}`),
    post,
    delete: (path) => request('DELETE', `${base}/${path}`),
    execute: (expression) => execute(post, expression),
    async find(selector) {
      const element = (await post('element', { using: 'css selector', value: selector })) as Record<
        string,
        string
      >
      const id = element[elementKey]
      if (id === undefined) throw new Error(`no element for ${selector}`)
      return id
    },
    async press(key) {
      const value = keyCodes[key] ?? key
      const actions = [
        { type: 'keyDown', value },
        { type: 'keyUp', value },
      ]
      await post('actions', { actions: [{ type: 'key', id: 'keyboard', actions }] })
    },
    async close() {
      await request('DELETE', base)
    },
  }
}

/** Runs an expression through the callback form, which waits for promises in every version of the driver. */
async function execute(
  post: (path: string, body: object) => Promise<unknown>,
  expression: string,
): Promise<unknown> {
  const script = `const done = arguments[arguments.length - 1];
    Promise.resolve().then(() => (${expression}\n)).then((value) => done({ value }), (error) => done({ error: String(error) }))`
  const outcome = (await post('execute/async', { script, args: [] })) as { value?: unknown; error?: string }
  if (outcome.error !== undefined) throw new Error(outcome.error)
  return outcome.value
}

async function request(method: string, url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const { value } = (await response.json()) as { value: unknown }
  if (response.ok) return value
  const { error, message } = value as { error: string; message: string }
  throw new Error(
    `WebDriver ${method} ${new URL(url).pathname.split('/').slice(3).join('/')}: ${error}: ${message}`,
  )
}
