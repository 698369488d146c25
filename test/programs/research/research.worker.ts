import { serveAgents } from '@waystone/browser'
import { research } from './agent.ts'
import { httpDesk } from './http-desk.ts'

const service = new URLSearchParams(location.search).get('service') ?? location.origin
serveAgents({ agents: [research.provide({ desk: httpDesk(service) })] })
