import { describeIndexedDb } from './indexeddb.ts'

describeIndexedDb('webkit')
