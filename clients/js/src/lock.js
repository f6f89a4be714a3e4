// One at a time over all tabs: refresh, login, logout, whatever changes the cookies. An answer that
// arrives after a newer one would put back an older cookie.
//
// The lock saves requests; safety doesn't hang on it. A tab that was frozen while it held the lock is
// waited for a few seconds, and then passed by: the server sorts out what happens at the same time.

import { pause } from './platform.js';

/** @import { Notes, Platform } from './types.js' */

const PATIENCE = 8_000; // milliseconds to wait for another tab: longer than a refresh may take, and within
// the server's grace, where whoever comes second needs no key
const LEASE = 3_000; // milliseconds after which a note counts no more: its page may be gone
const GLANCE = 20; // milliseconds between two looks at a lease

/**
 * @param {Platform} platform
 * @param {string} name
 * @returns {<T>(work: (waited: boolean) => Promise<T>) => Promise<T>} runs `work`, and tells it whether
 *   another tab was at it just before
 */
export function createLock(platform, name) {
  const { locks, notes } = platform;
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();

  return (work) =>
    new Promise((resolve, reject) => {
      /** Never rejects: what went wrong is for the caller alone. */
      const turn = (/** @type {boolean} */ waited) => work(waited).then(resolve, reject);
      last = last
        .then(() =>
          locks ? withWebLock(locks, turn) : notes ? withLease(notes, turn) : turn(false),
        )
        .catch(reject);
    });

  /**
   * @param {Pick<LockManager, 'request'>} locks
   * @param {(waited: boolean) => Promise<void>} turn
   */
  async function withWebLock(locks, turn) {
    const impatience = new AbortController();
    /** @type {unknown} */
    let timer;
    let waited = false;
    let begun = false;
    const take = () => {
      begun = true;
      platform.clearTimeout(timer);
      return turn(waited);
    };
    try {
      await locks.request(name, { ifAvailable: true }, (lock) => lock && take());
      if (begun) return;
      waited = true;
      timer = platform.setTimeout(() => impatience.abort(), PATIENCE);
      await locks.request(name, { signal: impatience.signal }, take);
    } catch {
      // It took too long, or there is no lock to be had here.
      if (!begun) await take();
    }
  }

  /**
   * Where there are no Web Locks (plain http, old browsers): a note of who is at it, and until when.
   *
   * @param {Notes} notes
   * @param {(waited: boolean) => Promise<void>} turn
   */
  async function withLease(notes, turn) {
    const me = platform.random();
    const now = () => platform.clocks().at(-1) ?? 0;
    const note = () => notes.set(name, `${me} ${now() + LEASE}`);
    let waited = false;
    for (let patience = PATIENCE; patience > 0; patience -= GLANCE) {
      const [holder, until] = (notes.get(name) ?? '').split(' ');
      if (holder === me) break;
      const left = Number(until) - now();
      if (left > 0 && left <= LEASE) waited = true;
      else note();
      // Another tab may have written at the same time. The last one has it.
      await pause(platform, GLANCE);
    }
    /** @type {unknown} */
    let timer;
    const hold = () => {
      note();
      timer = platform.setTimeout(hold, LEASE / 3);
    };
    hold();
    await turn(waited);
    platform.clearTimeout(timer);
    if (notes.get(name)?.startsWith(me)) notes.remove(name);
  }
}
