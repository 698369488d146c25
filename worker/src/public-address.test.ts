import { expect, it } from 'vitest'
import { isPublicAddress } from './public-address.ts'

it.each([
  'https://example.com/a.md',
  'http://docs.rs/',
  'https://8.8.8.8/',
  'https://[2606:4700::1111]/',
  'https://raw.githubusercontent.com/a/b/main/README.md',
])('isPublicAddress() allows %s', (url) => {
  expect(isPublicAddress(new URL(url))).toBe(true)
})

it.each([
  'ftp://example.com/',
  'file:///etc/passwd',
  'http://localhost/',
  'http://localhost:8787/v1/runs',
  'http://a.localhost./',
  'http://router/',
  'http://printer.local/',
  'http://metadata.google.internal/',
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0/',
  'http://10.1.2.3/',
  'http://172.31.0.1/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://100.64.0.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[fe80::1]/',
  'http://[fd00::1]/',
  'http://[2002:7f00:1::]/',
  'https://user:secret@example.com/',
])('isPublicAddress() refuses %s', (url) => {
  expect(isPublicAddress(new URL(url))).toBe(false)
})
