import { DurableObject } from 'cloudflare:workers'

export class RunObject extends DurableObject {}

export default {
  fetch(): Response {
    return new Response('not found', { status: 404 })
  },
} satisfies ExportedHandler
