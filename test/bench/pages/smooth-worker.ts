import { serveAgents } from '@waystone/browser'
import { talker } from './smooth-agent.ts'

serveAgents({ agents: [talker] })
