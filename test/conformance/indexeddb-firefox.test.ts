import { describeIndexedDb } from './indexeddb.ts'

describeIndexedDb('firefox')
