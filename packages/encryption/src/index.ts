export { lentCipher, userCipher, type UserCipher, type UserKey } from './cipher.ts'
export {
  DeviceKeys,
  type KeyringStore,
  type OwnKeys,
  type ShownDevice,
  type StoredDevice,
} from './device-keys.ts'
export { edgeKeyring, type EdgeKeyringOptions } from './edge-keyring.ts'
export { indexedOwnKeys } from './indexed-own-keys.ts'
export {
  askIn,
  fingerprint,
  keyCode,
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
export { sealItem } from './seal-item.ts'
