import { serveRig } from '../../engine/app/rig.ts'

serveRig({ agentsOf: () => [], worker: 'program.worker.js' })
