// Who is signed in, and the tokens that show it. They are variables of this closure: no property that a
// page could reach and no storage has them.
//
// What happens in one tab happens in all: a login, a renewal, a logout. The tabs tell each other by
// messages, which go from memory to memory and can't be heard by other origins. (Scripts of this origin
// can hear them. They could as well ask the server for a token of their own.) Of two pieces of news the
// later one counts, in whatever order they arrive.

import { nobody, userChanged } from './error.js';
import { elapsed, pause } from './platform.js';

/** @import { CountersignError } from './error.js' */
/** @import { Grant } from './wire.js' */
/** @import { Change, Channel, Platform, User } from './types.js' */

/**
 * @typedef {object} Tokens
 * @property {string} accessToken
 * @property {string | undefined} csrfToken the same for a session's whole life, so it also names it
 * @property {number} lifetime milliseconds
 *
 * @typedef {object} Message
 * @property {true} [ask] who has tokens that will last?
 * @property {Tokens & { user: User, age: number, at: number }} [tokens] what one tab got from the server,
 *   for all: so many milliseconds old, and made at that time
 * @property {{ csrfToken: string | undefined, type: 'signed_out' | 'session_ended', code: string,
 *   at: number }} [end] the session of that CSRF token is over
 */

const HEAD_START = 30_000; // milliseconds before its end at which a token is renewed, while it still serves
const LINGER = 25; // milliseconds in which the other tabs hear the news

/**
 * @param {Platform} platform
 * @param {string} name of what the tabs share
 * @param {() => void} onNews
 */
export function createMemory(platform, name, onNews) {
  /** @type {User | null | undefined} */
  let user;
  /** @type {Tokens | undefined} */
  let tokens;
  let since = platform.clocks(); // when the tokens were asked for
  let reason = nobody(); // why nobody is signed in

  let news = 0; // one more at each change, so that a late answer knows that it is late
  let at = 0; // when the latest news was made, by the clock that all tabs share

  /** @type {Channel | null | undefined} */
  let channel = null; // undefined where there is none
  /** @type {Set<(change: Change) => void>} */
  const listeners = new Set();

  // --- How old --------------------------------------------------------------------------------

  /** Later than whatever is known here, even if the clock was put back. */
  const now = () => Math.max(platform.clocks().at(-1) ?? 0, at + 1);

  /** The rest of the access token's life, in milliseconds. */
  const left = () => (tokens ? tokens.lifetime - elapsed(platform, since) : 0);

  /** A new token would be welcome. */
  const isAging = () => left() <= Math.min(HEAD_START, (tokens?.lifetime ?? 0) / 5);

  // --- What happens here ----------------------------------------------------------------------

  /**
   * Takes what the server gave, and shares it.
   *
   * @param {Grant} grant
   * @param {number[]} askedAt what the clocks said
   */
  async function take({ accessToken, csrfToken, lifetime, user: holder }, askedAt) {
    adopt({ accessToken, csrfToken, lifetime }, holder, askedAt, now());
    if (share()) await pause(platform, LINGER);
  }

  /** @param {User} fresh the profile as the server knows it now */
  function update(fresh) {
    if (!tokens || user?.id !== fresh.id) return fresh;
    adopt(tokens, fresh, since, now());
    share();
    return user;
  }

  /**
   * The session is over.
   *
   * @param {CountersignError} [why] the server's reason, if it was none of the user's doing
   */
  function end(why) {
    const csrfToken = tokens?.csrfToken;
    const wasKnown = user || why?.code !== 'not_authenticated';
    const type = why && wasKnown ? 'session_ended' : 'signed_out';
    leave(type, why ?? nobody(), now());
    tell({ end: { csrfToken, type, code: reason.code, at } });
  }

  /** Another user has come. Nothing goes out until the page has decided what to do. */
  function stop() {
    leave('user_changed', userChanged(), now());
  }

  const isStopped = () => user === null && reason.code === 'user_changed';

  /** Forgets who it was, as a reload does. */
  function reset() {
    user = undefined;
  }

  // --- What happens in other tabs -------------------------------------------------------------

  /** Starts listening; `true` when it wasn't. */
  function open() {
    if (channel !== null) return false;
    channel = platform.channel(name);
    if (channel) channel.onmessage = ({ data }) => hear(data);
    return true;
  }

  /** An open channel would keep the page out of the back/forward cache. */
  function close() {
    channel?.close();
    channel = null;
  }

  /**
   * Tells the other tabs.
   *
   * @param {Message} message
   * @returns {boolean} whether there may be any
   */
  function tell(message) {
    channel?.postMessage(message);
    return !!channel;
  }

  /** Tells them what this one has. */
  function share() {
    return (
      !!tokens && !!user && tell({ tokens: { ...tokens, user, age: elapsed(platform, since), at } })
    );
  }

  /** @param {Message} message */
  function hear({ ask, tokens: heard, end: ended }) {
    if (ask && !isAging()) share();
    if (isStopped()) return;

    if (heard && heard.at > at) {
      const { user: holder, age, at: madeAt, ...theirs } = heard;
      if (user && user.id !== holder.id) return stop();
      const askedAt = platform.clocks().map((clock) => clock - age);
      adopt(theirs, holder, askedAt, madeAt);
    }
    if (ended && ended.at > at && tokens && ended.csrfToken === tokens.csrfToken) {
      leave(ended.type, nobody(ended.code), ended.at);
    }
  }

  // --- What changes ---------------------------------------------------------------------------

  /**
   * @param {Tokens} next
   * @param {User} holder
   * @param {number[]} askedAt
   * @param {number} madeAt
   */
  function adopt(next, holder, askedAt, madeAt) {
    const before = user;
    // The same object for the same profile, so that a page needn't compare.
    user = JSON.stringify(before) === JSON.stringify(holder) ? before : holder;
    tokens = next;
    since = askedAt;
    at = madeAt;
    changed(
      user !== before && {
        type: before?.id === holder.id ? 'user_updated' : 'signed_in',
        user: holder,
      },
    );
  }

  /**
   * @param {Change['type']} type
   * @param {CountersignError} why
   * @param {number} madeAt
   */
  function leave(type, why, madeAt) {
    user = null;
    tokens = undefined;
    reason = why;
    at = madeAt;
    changed({ type, user, ...(type === 'session_ended' && { code: why.code }) });
  }

  /** @param {Change | false} change what listeners are told, if anything */
  function changed(change) {
    news += 1;
    onNews();
    if (!change) return;
    for (const listener of [...listeners]) {
      try {
        listener(change);
      } catch (error) {
        // A listener's mistake is the page's to see, and must not break a refresh.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  open();
  return {
    user: () => user,
    tokens: () => tokens,
    reason: () => reason,
    news: () => news,
    left,
    isAging,
    take,
    update,
    end,
    stop,
    isStopped,
    reset,
    open,
    close,
    tell,
    /** @param {(change: Change) => void} listener */
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
