// Beginning, renewing and ending a session.
//
// There are no timers here. A token is renewed when it is needed, so a page that nobody uses lets its
// session grow old, as the server's settings want it.

import { nobody, userChanged } from './error.js';
import { createLock } from './lock.js';
import { createMemory } from './memory.js';
import { elapsed, ignore, pause } from './platform.js';
import { readGrant } from './wire.js';

/** @import { Delivery, Proof } from './delivery.js' */
/** @import { Exchange, Grant } from './wire.js' */
/** @import { Platform, User } from './types.js' */

/** @typedef {ReturnType<typeof createSession>} SessionKeeper */

const EARSHOT = 25; // milliseconds in which another tab answers
const LONG_EARSHOT = 200; // milliseconds in which it does even on a busy machine
const TIMEOUT = 7_000; // milliseconds for an answer; a late one could put back an older cookie
const LONGEST_BACKOFF = 60_000; // milliseconds

/**
 * @param {Platform} platform
 * @param {string} name of what the tabs share
 * @param {Delivery} delivery
 * @param {Exchange} exchange
 */
export function createSession(platform, name, delivery, exchange) {
  /** @type {string | undefined} */
  let key; // of the refresh whose answer hasn't arrived
  let wake = ignore; // ends the wait of a refresh
  const memory = createMemory(platform, name, () => {
    key = undefined;
    wake();
  });
  const exclusive = createLock(platform, name);

  const { notes, keyName } = delivery;

  /** @type {Promise<void> | undefined} */
  let refreshing;
  let backoff = { since: platform.clocks(), time: 0, error: nobody() };

  platform.onLifecycle(memory.close, () => {
    // In the back/forward cache the news of other tabs went unheard: ask the server.
    const isBack = memory.open();
    if (isBack && memory.user() === null && !memory.isStopped()) restore(true).catch(ignore);
    else if (memory.isAging() || (isBack && memory.tokens())) refresh().catch(ignore);
  });

  // --- Having tokens --------------------------------------------------------------------------

  /**
   * Finds out who is signed in.
   *
   * @param {boolean} anew though it seems to be known
   * @returns {Promise<User | null>}
   */
  async function restore(anew = memory.isStopped()) {
    if (anew) memory.reset();
    if (memory.user() === undefined) {
      await refresh().catch((error) => {
        if (memory.user() === undefined) throw error;
      });
    }
    return memory.user() ?? null;
  }

  /** The tokens for a request, fresh enough to be sent; nothing when nobody is signed in. */
  async function current() {
    if (memory.isStopped()) throw memory.reason();
    const user = await restore();
    if (!user) return;
    // The server allows for a second more or less, so a token serves to the end.
    if (memory.left() <= 0) await refresh();
    else if (memory.isAging()) refresh().catch(ignore);
    if (memory.user()?.id !== user.id) throw memory.user() ? userChanged() : memory.reason();
    return memory.tokens();
  }

  /** New tokens: from the server, or from another tab that has just got them. All callers share it. */
  function refresh() {
    refreshing ??= renew().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function renew() {
    if (memory.isStopped()) throw memory.reason();
    if (elapsed(platform, backoff.since) < backoff.time) throw backoff.error;
    const before = memory.news();
    const isNewsless = () => memory.news() === before;
    /** @param {boolean} waited */
    const work = async (waited) => {
      if (isNewsless() && memory.tell({ ask: true })) {
        // There is time where the token still serves; and where another tab was at it, its news is coming.
        await pause(platform, waited || memory.left() > 0 ? LONG_EARSHOT : EARSHOT);
      }
      if (isNewsless()) await rotate(isNewsless);
    };
    // Whichever comes first: this tab's turn, or another tab's tokens.
    await new Promise((resolve, reject) => {
      wake = () => resolve(undefined);
      exclusive(work).then(resolve, reject);
    });
    if (!memory.tokens()) throw memory.reason();
  }

  /** @param {() => boolean} isNewsless whether nothing has happened since it was found necessary */
  async function rotate(isNewsless) {
    const since = platform.clocks();
    try {
      const grant = readGrant(await askForRotation());
      await settle(grant);
      const user = memory.user();
      if (user && user.id !== grant.user.id) return memory.stop();
      if (isNewsless()) await memory.take(grant, since);
    } catch (/** @type {any} */ error) {
      const time = Math.min((error.retryAfter ?? 0) * 1000, LONGEST_BACKOFF);
      backoff = { since: platform.clocks(), time, error };
      // Only a login helps. (A 401 without a code is some proxy's.)
      if (error.status === 401 && error.code !== 'unexpected_answer' && isNewsless()) {
        await settle();
        if (isNewsless()) memory.end(error);
      }
      throw error;
    }
  }

  // --- Asking for them ------------------------------------------------------------------------

  async function askForRotation() {
    const proof = await delivery.prove(exchange, memory.tokens()?.csrfToken);
    return post(proof).catch(async (error) => {
      if (error.code !== 'csrf_failed') throw error;
      // Another tab signed in meanwhile, or the cookie that was read is a neighbour's: ask the server.
      return post(await delivery.prove(exchange, ''));
    });
  }

  /** @param {Proof} proof */
  function post(proof) {
    const send = async () => {
      const headers = { ...proof.headers, 'Idempotency-Key': await currentKey() };
      return exchange('POST', 'refresh_token', { ...proof, headers, timeout: TIMEOUT });
    };
    return send().catch((error) => {
      if (error.code !== 'unreachable') throw error;
      return send();
    });
  }

  /**
   * A lost answer is asked for again with the same key, by whichever tab: it tells the server that we are
   * no thief with a copy of the cookie. It is no credential, and outlives the page.
   */
  async function currentKey() {
    const kept = (await notes?.get(keyName)) ?? key;
    key = kept && /^\w{22,128}$/.test(kept) ? kept : platform.random();
    await notes?.set(keyName, key);
    return key;
  }

  /**
   * The answer has arrived.
   *
   * @param {Grant} [grant]
   */
  async function settle(grant) {
    await delivery.keep(grant);
    key = undefined;
    await notes?.remove(keyName);
  }

  // --- Beginning and ending -------------------------------------------------------------------

  /**
   * Starts the session of a server's answer.
   *
   * @param {number[]} since what the clocks said when it was asked for
   * @param {unknown} answer
   */
  async function begin(since, answer) {
    const grant = readGrant(answer);
    await settle(grant);
    await memory.take(grant, since);
    return memory.user();
  }

  /** The server has ended the session, as it was told. */
  async function finish() {
    await settle();
    memory.end();
  }

  return { memory, restore, current, refresh, begin, finish, exclusive };
}
