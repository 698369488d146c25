import { serveAgents } from '@waystone/browser'
import { agents } from './agents.ts'

serveAgents({ agents })
