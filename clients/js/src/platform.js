// All that the client takes from where it runs, in one place. What isn't there is undefined.

/** @import { Notes, Platform } from './types.js' */

/** @returns {Platform} */
export function thisPlatform() {
  const { location, document, navigator, performance, crypto } = globalThis;
  // Tabs share the browser's cookies, so they share a session. The clients in a server's process don't:
  // there each one stays by itself.
  const shared = location !== undefined;

  return {
    // Taken now, so that a script that comes later can't put itself in between.
    fetch: globalThis.fetch.bind(globalThis),
    clocks: () => [performance.now(), Date.now()],
    setTimeout: (action, milliseconds) => setTimeout(action, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => crypto.getRandomValues(new Uint8Array(24)).join(''),
    location,
    cookies: () => document?.cookie ?? '',
    channel: (name) =>
      shared && globalThis.BroadcastChannel ? new BroadcastChannel(name) : undefined,
    locks: shared ? navigator?.locks : undefined,
    notes: shared ? localNotes() : undefined,
    onLifecycle(away, here) {
      if (!document) return;
      addEventListener('pagehide', away);
      addEventListener('pageshow', here);
      document.addEventListener('visibilitychange', () => document.hidden || here());
    },
  };
}

/**
 * @param {Platform} platform
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
export function pause(platform, milliseconds) {
  return new Promise((resolve) => platform.setTimeout(resolve, milliseconds));
}

/**
 * How long ago that was, in milliseconds. Clocks err to one side only: one stands still while the machine
 * sleeps, another is put back. So the one that says the most is right, or a token is renewed too early.
 *
 * @param {Platform} platform
 * @param {number[]} since what the clocks said then
 */
export function elapsed(platform, since) {
  return Math.max(...platform.clocks().map((clock, i) => clock - (since[i] ?? clock)));
}

export function ignore() {}

/**
 * `localStorage`, where the browser allows it.
 *
 * @returns {Notes | undefined}
 */
function localNotes() {
  try {
    const { localStorage } = globalThis;
    return (
      localStorage && {
        get: (name) => localStorage.getItem(name),
        set(name, value) {
          try {
            localStorage.setItem(name, value);
          } catch {
            // It is full. What is in memory will do.
          }
        },
        remove: (name) => localStorage.removeItem(name),
      }
    );
  } catch {
    // It is forbidden.
  }
}
