export { lentCipher, userCipher, type UserCipher, type UserKey } from './cipher.ts'
export {
  fingerprint,
  keyringFormat,
  letIn,
  newKeyring,
  openKeyring,
  rotate,
  shutOut,
  type Keyring,
  type KeyringDevice,
  type OwnDevice,
} from './keyring.ts'
export { keyPairOf, newKeyPair, openSealed, publicKeyOf, sealFor } from './sealed-box.ts'
export { encryptionOf, openLent, sealLent, type EncryptionOptions, type Lent } from './lending.ts'
