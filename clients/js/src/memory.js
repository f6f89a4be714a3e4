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
 * @property {Tokens & { user: User, born: number, at: number }} [tokens] what one tab got from the server,
 *   for all: asked for at the one time, and made at the other, by the clock that all tabs share
 * @property {User} [user] the profile as the server knows it now
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

  /** The clock that all tabs share. */
  const wall = () => platform.clocks().at(-1) ?? 0;

  /** Later than whatever is known here, even if the clock was put back. */
  const now = () => Math.max(wall(), at + 1);

  /** The rest of the access token's life, in milliseconds. */
  const left = () => (tokens ? tokens.lifetime - elapsed(platform, since) : 0);

  /** A new token would be welcome, in the place of the one that is there. */
  const isAging = () => !!tokens && left() <= Math.min(HEAD_START, tokens.lifetime / 5);

  // --- What happens here ----------------------------------------------------------------------

  /**
   * Takes what the server gave, and shares it.
   *
   * @param {Grant} grant
   * @param {number[]} askedAt what the clocks said
   */
  async function take({ refreshToken, user: holder, ...ours }, askedAt) {
    adopt(ours, holder, askedAt, now());
    if (share()) await pause(platform, LINGER);
  }

  /**
   * Takes a profile, and shares it. It is no news of the session, and makes none of it late.
   *
   * @param {User} fresh
   */
  function update(fresh) {
    if (user?.id !== fresh.id) return fresh;
    know(fresh);
    tell({ user: fresh });
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
    const born = wall() - elapsed(platform, since);
    return !!tokens && !!user && tell({ tokens: { ...tokens, user, born, at } });
  }

  /** @param {Message} message */
  function hear({ ask, tokens: heard, user: fresh, end: ended }) {
    if (ask && !isAging()) share();
    if (isStopped()) return;

    if (heard && heard.at > at) {
      const { user: holder, born, at: madeAt, ...theirs } = heard;
      if (user && user.id !== holder.id) return stop();
      // Not as old as when it was sent: a frozen tab hears late.
      const age = Math.max(0, wall() - born);
      const askedAt = platform.clocks().map((clock) => clock - age);
      adopt(theirs, holder, askedAt, madeAt);
    }
    if (fresh && user?.id === fresh.id) know(fresh);
    if (ended && tokens && ended.csrfToken === tokens.csrfToken) {
      // A session that has a name ends for good. Without one, the news may be of an earlier session.
      if (ended.csrfToken || ended.at > at) leave(ended.type, nobody(ended.code), ended.at);
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
    tokens = next;
    since = askedAt;
    at = madeAt;
    news += 1;
    know(holder);
    onNews();
  }

  /** @param {User} holder */
  function know(holder) {
    // The same object for the same profile, so that a page needn't compare.
    if (JSON.stringify(user) === JSON.stringify(holder)) return;
    const type = user?.id === holder.id ? 'user_updated' : 'signed_in';
    user = holder;
    announce({ type, user });
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
    news += 1;
    announce({ type, user, ...(type === 'session_ended' && { code: why.code }) });
    onNews();
  }

  /** @param {Change} change */
  function announce(change) {
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
