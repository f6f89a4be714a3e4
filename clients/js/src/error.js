// What can go wrong, as one type. Its message is for a person, and holds no secret.

import { ignore } from './platform.js';

/** @import { ErrorCode } from './types.js' */

/** @typedef {import('./openapi.js').components['schemas']['Problem']} Problem */

/**
 * A refusal by the server, or the want of an answer.
 *
 * `code` is the server's, or one of the client's own: `unreachable` and `timeout` (no answer
 * came), `unexpected_answer` (not Countersign's: a proxy's error page, say), `redirected` (the token wasn't
 * sent on), `user_changed` (another user signed in elsewhere in this browser).
 */
export class CountersignError extends Error {
  name = 'CountersignError';
  /** The HTTP status, or 0 when no answer came. */
  status = 0;
  /** @type {number | undefined} seconds after which another try is welcome, if the server said so */
  retryAfter;
  /** @type {Record<string, string[]>} sentences about single fields */
  errors = {};

  /**
   * @param {ErrorCode} code for programs
   * @param {string} message
   * @param {{ status?: number, retryAfter?: number | undefined,
   *   errors?: Record<string, string[]> | undefined, cause?: unknown }} [details]
   */
  constructor(code, message, details) {
    super(message);
    this.code = code;
    Object.assign(this, details);
  }
}

/**
 * Also knows an error of another copy of this package.
 *
 * @param {any} error
 * @returns {error is CountersignError}
 */
export function isCountersignError(error) {
  return error instanceof Error && error.name === 'CountersignError';
}

/**
 * Reads a refusal.
 *
 * @param {Response} response
 */
export async function refusal(response) {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('Retry-After')) || undefined;
  /** @type {any} */
  const problem = (await problemOf(response)) ?? unexpected();
  const { code, errors = {}, detail = code, message = detail } = problem;
  return new CountersignError(code, message, { status, retryAfter, errors });
}

/**
 * The problem document in an answer, or nothing.
 *
 * @param {Response} response
 * @returns {Promise<Partial<Problem> & Pick<Problem, 'code'> | undefined>}
 */
export async function problemOf(response) {
  if (!response.headers.get('Content-Type')?.startsWith('application/problem+json')) return;
  const problem = await response.clone().json().catch(ignore);
  return typeof problem?.code === 'string' ? problem : undefined;
}

export function unexpected() {
  return new CountersignError('unexpected_answer', "That answer isn't Countersign's.");
}

/** @param {ErrorCode} [code] */
export function nobody(code = 'not_authenticated') {
  return new CountersignError(code, 'Nobody is signed in.', { status: 401 });
}

export function userChanged() {
  return new CountersignError('user_changed', 'Another user has signed in.');
}
