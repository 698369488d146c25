export {
  allows,
  covers,
  narrowed,
  operations,
  parseGrant,
  parseTenant,
  type Grant,
  type Operation,
  type Restriction,
} from './grant.ts'
export { newAccessKey, parseAccessKeys, type AccessKey, type KeyAlgorithm } from './keys.ts'
export { mintToken, type MintOptions } from './mint-token.ts'
export { narrowToken, type NarrowOptions } from './narrow-token.ts'
export { verifyToken, type VerifyOptions } from './verify-token.ts'
