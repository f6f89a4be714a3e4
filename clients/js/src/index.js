// @countersign/client: the browser's side of Countersign.

export { createClient } from './client.js';
export { keychain } from './delivery.js';
export { CountersignError, isCountersignError } from './error.js';

/**
 * @typedef {import('./types.js').Abortable} Abortable
 * @typedef {import('./types.js').ChangeType} ChangeType
 * @typedef {import('./types.js').ClientOptions} ClientOptions
 * @typedef {import('./types.js').Credentials} Credentials
 * @typedef {import('./types.js').Platform} Platform
 * @typedef {import('./types.js').SecureStorage} SecureStorage
 * @typedef {import('./types.js').Session} Session
 */
/**
 * @template [U=User]
 * @typedef {import('./types.js').Change<U>} Change
 */
/**
 * @template [Fields=unknown]
 * @typedef {import('./types.js').Client<Fields>} Client
 */
/**
 * @template [Fields=unknown]
 * @typedef {import('./types.js').ProfileChanges<Fields>} ProfileChanges
 */
/**
 * @template [Fields=unknown]
 * @typedef {import('./types.js').User<Fields>} User
 */
