import { serveAgents } from '@waystone/browser'
import { ticker } from './move-agent.ts'

serveAgents({ agents: [ticker] })
