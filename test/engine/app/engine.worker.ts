import { serveAgents } from '@waystone/browser'
import { agentsOf } from '../engine-cases.ts'

serveAgents({
  agents: agentsOf(new URLSearchParams(location.search).get('code') === 'later' ? 'later' : 'first'),
})
