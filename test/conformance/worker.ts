import type { PortName } from './ports.ts'
import { runIndexedDbCase } from './page-subjects.ts'

addEventListener('message', (event: MessageEvent<readonly [PortName, string]>) => {
  runIndexedDbCase(...event.data).then(
    (result) => postMessage(result),
    (error: unknown) => postMessage({ name: event.data[1], ok: false, error: String(error) }),
  )
})
