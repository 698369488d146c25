import { agentsOf } from '../engine-cases.ts'
import { serveRig } from './rig.ts'

serveRig({ agentsOf, worker: 'engine.worker.js' })
