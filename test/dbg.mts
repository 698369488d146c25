import { soak } from './chaos/soak.ts'
const began = Date.now()
console.log(await soak({ runs: 40, kills: 3, turns: 30, seed: 1, tell: (line) => console.error(((Date.now()-began)/1000).toFixed(1), line) }))
process.exit(0)
