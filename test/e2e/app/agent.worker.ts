import { serveAgents } from '@waystone/browser'
import { agents, pageOnly } from './agents.ts'

serveAgents({ agents: [...agents, pageOnly] })
