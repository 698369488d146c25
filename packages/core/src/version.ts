/** The version of this package, which entries that make a writer carry. A test holds it to package.json. */
export const sdkVersion = '0.1.0'
