import { describeIndexedDb } from './indexeddb.ts'

describeIndexedDb('chromium')
