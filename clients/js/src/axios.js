// axios over the client: `@countersign/client/axios`.
//
// axios keeps what it sends in `config.headers`, and shows it in every error. So the token isn't put there:
// axios hands its requests to `client.fetch`, which adds it on the way out.

import axios from 'axios';

/** @import { AxiosInstance } from 'axios' */
/** @import { Client } from './types.js' */

/**
 * Sends the requests of an axios instance through the client, until the function that it returns is called.
 *
 * @param {AxiosInstance} instance
 * @param {Pick<Client, 'fetch'>} client
 * @returns {() => void}
 */
export function attachAxios(instance, client) {
  const [major = 0, minor = 0] = axios.VERSION.split('.').map(Number);
  if (major < 1 || (major === 1 && minor < 12)) {
    throw new TypeError(`attachAxios needs axios 1.12 or newer, and this is ${axios.VERSION}.`);
  }
  const { defaults } = instance;
  const before = { ...defaults };
  defaults.adapter = 'fetch';
  defaults.env = { ...defaults.env, fetch: client.fetch };
  // The client sends its own CSRF header.
  defaults.withXSRFToken = false;
  return () => {
    const { adapter, env, withXSRFToken } = before;
    Object.assign(defaults, { adapter, env, withXSRFToken });
  };
}
