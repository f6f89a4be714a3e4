// A browser with tabs: one cookie jar, one set of locks, one local storage and one channel for all of
// them, and a network that a test can spoil.

import { createClient, keychain } from '../../src/index.js';
import { FakeClock, settle } from './clock.js';
import { FakeServer, Refusal } from './server.js';

export const PAGE = 'https://app.example.com/';
export const API = 'https://app.example.com';
export const ELSEWHERE = 'https://evil.example.net';

/** A clock, a server and a browser that know each other. */
export function world(options) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  return { clock, server, browser: new FakeBrowser(clock, server, options) };
}

export class FakeBrowser {
  /** What every request looked like, in the order in which they were sent. */
  log = [];
  /** All cookies, whichever the server's host or path. */
  jar = new Map();
  /** `localStorage` */
  storage = new Map();
  /** What goes wrong: the first whose `when` holds for a request is used up by it. */
  #mishaps = [];
  #channels = new Map();
  #locks = new FakeLocks();
  #gone = new Set();
  #frozen = new Set();
  #cuts = [];
  #tabs = 0;

  /**
   * @param {{ hasLocks?: boolean, hasChannel?: boolean, hasStorage?: boolean, canReadCookies?: boolean,
   *   stripsAuthorization?: boolean, channelDelay?: number }} [options]
   */
  constructor(clock, server, options = {}) {
    this.clock = clock;
    this.server = server;
    this.options = {
      hasLocks: true,
      hasChannel: true,
      hasStorage: true,
      canReadCookies: true,
      stripsAuthorization: true,
      channelDelay: 0,
      ...options,
    };
  }

  /** Opens a page with a client. */
  tab({ page = PAGE, baseUrl = API, platform = {}, storage, ...options } = {}) {
    const name = (this.#tabs += 1);
    const listeners = [];
    const client = createClient({
      baseUrl,
      ...options,
      ...(storage && { storage: keychain(storage) }),
      platform: {
        ...this.platform(name, page),
        onLifecycle: (away, here) => listeners.push({ away, here }),
        ...platform,
      },
    });
    const events = [];
    client.onChange((change) => events.push(change));
    return {
      client,
      events,
      /** The page goes into the back/forward cache ('away'), or is seen ('here'). */
      async meets(moment) {
        listeners.forEach((listener) => listener[moment]());
        await settle();
      },
      /** The page stands still: no timer, no message, no answer gets through to it. */
      freeze: () => this.#frozen.add(name),
      /** The page is gone. What it had sent may still reach the server, but no answer reaches it. */
      close: () => {
        this.#gone.add(name);
        this.#channels.forEach((all) => all.forEach((one) => one.tab === name && one.close()));
        this.#locks.abandon(name);
      },
    };
  }

  /** A tab whose user is signed in. */
  async signedInTab(options) {
    const tab = this.tab(options);
    await this.clock.until(tab.client.login({ username: 'ada', password: this.server.password }));
    // So that the next use of the refresh token rotates it.
    await this.clock.advance(this.server.grace);
    tab.events.length = 0;
    return tab;
  }

  platform(tab, page) {
    const { options, storage } = this;
    return {
      clocks: this.clock.clocks,
      setTimeout: (action, milliseconds) =>
        this.clock.setTimeout(() => this.#isStill(tab) || action(), milliseconds),
      fetch: (input, init) => this.#fetch(new Request(input, init), tab, new URL(page).origin),
      clearTimeout: this.clock.clearTimeout,
      random: () => crypto.randomUUID().replaceAll('-', ''),
      location: new URL(page),
      cookies: () =>
        options.canReadCookies
          ? [...this.jar]
              .filter(([name]) => name !== this.server.refreshName)
              .flatMap(([name, value]) => [value].flat().map((one) => `${name}=${one}`))
              .join('; ')
          : '',
      channel: (name) =>
        options.hasChannel ? new FakeChannel(this.#channels, name, tab, this.#postman) : undefined,
      locks: options.hasLocks ? this.#locks.of(tab) : undefined,
      notes: options.hasStorage
        ? {
            get: (name) => storage.get(name),
            set: (name, value) => storage.set(name, value),
            remove: (name) => storage.delete(name),
          }
        : undefined,
      onLifecycle() {},
    };
  }

  #isStill(tab) {
    return this.#gone.has(tab) || this.#frozen.has(tab);
  }

  #postman = (deliver, tab) => {
    const { channelDelay } = this.options;
    const arrive = () => this.#isStill(tab) || deliver();
    if (channelDelay > 0) this.clock.setTimeout(arrive, channelDelay);
    else setImmediate(arrive);
  };

  // --- The network ----------------------------------------------------------------------------

  /** How many requests were sent so far, of this kind. */
  count(line) {
    return this.log.filter((entry) => entry.line === line).length;
  }

  refreshes() {
    return this.count('POST /accounts/refresh_token');
  }

  /** The next such request never reaches the server. */
  loseRequest(line) {
    this.#mishaps.push({ line, kind: 'request' });
  }

  /** The server does what the next such request asks for, but the answer never arrives. */
  loseAnswer(line) {
    this.#mishaps.push({ line, kind: 'answer' });
  }

  /** Something in between answers the next such request. */
  intercept(line, answer) {
    this.#mishaps.push({ line, kind: 'intercepted', answer });
  }

  refuse(line, status, code, details) {
    this.intercept(line, new Refusal(status, code, details).answer());
  }

  /** The next such request is answered when the function that this returns is called, not before. */
  hold(line, { before = false, answer } = {}) {
    let release;
    const gate = new Promise((resolve, reject) => {
      release = resolve;
      this.#cuts.push(() => reject(new TypeError('Failed to fetch')));
    });
    gate.catch(() => {});
    this.#mishaps.push({ line, kind: before ? 'held request' : 'held answer', gate, answer });
    return release;
  }

  /** All connections are gone, as after a long sleep. */
  hangUp() {
    this.#cuts.splice(0).forEach((cut) => cut());
  }

  /** Whatever was to go wrong and hasn't yet doesn't. */
  calm() {
    this.#mishaps = [];
  }

  async #fetch(request, tab, page) {
    if (this.#gone.has(tab)) return new Promise(() => {});
    const { pathname, origin } = new URL(request.url);
    const line = `${request.method} ${pathname}`;
    const headers = new Headers(request.headers);
    const text = await request.text();
    const entry = {
      line,
      url: request.url,
      credentials: request.credentials,
      origin,
      tab,
      headers,
      text,
      mode: request.mode,
      redirect: request.redirect,
    };
    if (request.signal.aborted) throw request.signal.reason;
    this.log.push(entry);

    const at = this.#mishaps.findIndex((mishap) => mishap.line === line);
    const [mishap] = at < 0 ? [] : this.#mishaps.splice(at, 1);
    const sendsCookies =
      request.credentials === 'include' ||
      (request.credentials === 'same-origin' && origin === page);
    const cookies = sendsCookies ? this.#singleCookies() : new Map();
    return abortable(request.signal, async () => {
      if (mishap?.kind === 'request') throw new TypeError('Failed to fetch');
      if (mishap?.kind === 'held request') await mishap.gate;
      if (request.signal.aborted) throw request.signal.reason;
      if (mishap?.kind === 'held request' && this.#gone.has(tab)) return new Promise(() => {});
      const body =
        /json/.test(headers.get('Content-Type') ?? '') && text
          ? JSON.parse(text)
          : text || undefined;
      const answer =
        mishap?.answer ??
        this.server.answer({ method: request.method, path: pathname, headers, body, cookies });
      if (mishap?.kind === 'held answer') await mishap.gate;
      if (this.#isStill(tab)) return new Promise(() => {});
      if (mishap?.kind === 'answer') throw new TypeError('Failed to fetch');
      if (request.signal.aborted) throw request.signal.reason;
      if (sendsCookies) for (const cookie of answer.cookies ?? []) this.#store(cookie);
      return answer.location
        ? this.#redirect(request, text, answer, { tab, page })
        : response(answer);
    });
  }

  #singleCookies() {
    return new Map([...this.jar].map(([name, value]) => [name, [value].flat()[0]]));
  }

  #store([name, value]) {
    if (value === null) this.jar.delete(name);
    else this.jar.set(name, value);
  }

  /** As the Fetch standard has it, old or new. */
  #redirect(request, text, { status, location }, { tab, page }) {
    if (request.redirect === 'error') throw new TypeError('Failed to fetch');
    if (request.redirect === 'manual') return opaqueRedirect();
    const target = new URL(location, request.url);
    const leaves = target.origin !== new URL(request.url).origin;
    if (leaves && request.mode === 'same-origin') throw new TypeError('Failed to fetch');
    const headers = new Headers(request.headers);
    if (leaves && this.options.stripsAuthorization) headers.delete('Authorization');
    const keepsMethod = status >= 307 || ['GET', 'HEAD'].includes(request.method);
    const next = new Request(target, {
      headers,
      method: keepsMethod ? request.method : 'GET',
      ...(keepsMethod && text && { body: text }),
      mode: request.mode,
      credentials: request.credentials,
    });
    return this.#fetch(next, tab, page);
  }
}

function response({ status, headers = {}, body }) {
  const isText = typeof body === 'string';
  return new Response(body === undefined ? null : isText ? body : JSON.stringify(body), {
    status,
    headers: {
      ...(body !== undefined && { 'Content-Type': isText ? 'text/html' : 'application/json' }),
      ...headers,
    },
  });
}

function opaqueRedirect() {
  return Object.defineProperties(Response.error(), { type: { value: 'opaqueredirect' } });
}

function abortable(signal, work) {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    work().then(resolve, reject);
  });
}

/** As BroadcastChannel: copies arrive later, and not at the sender. */
class FakeChannel {
  onmessage = null;
  #others;

  constructor(channels, name, tab, postman) {
    this.tab = tab;
    this.postman = postman;
    if (!channels.has(name)) channels.set(name, new Set());
    this.#others = channels.get(name);
    this.#others.add(this);
  }

  postMessage(message) {
    const data = structuredClone(message);
    for (const other of this.#others) {
      if (other === this) continue;
      this.postman(() => this.#others.has(other) && other.onmessage?.({ data }), other.tab);
    }
  }

  close() {
    this.#others.delete(this);
  }
}

/** As Web Locks. */
class FakeLocks {
  /** Each lock's holder, and after it those who wait. */
  #queues = new Map();

  of(owner) {
    return { request: (name, options, work) => this.#request(owner, name, options, work) };
  }

  /** A page that is gone lets go. */
  abandon(owner) {
    for (const name of this.#queues.keys()) {
      this.#queue(name)
        .filter((turn) => turn.owner === owner)
        .forEach((turn) => this.#leave(name, turn));
    }
  }

  async #request(owner, name, { ifAvailable = false, signal }, work) {
    signal?.throwIfAborted();
    const queue = this.#queue(name);
    if (ifAvailable && queue.length > 0) return work(null);
    const turn = { owner };
    const granted = new Promise((resolve, reject) => {
      turn.grant = resolve;
      turn.refuse = reject;
    });
    queue.push(turn);
    if (queue.length === 1) turn.grant();
    signal?.addEventListener('abort', () => {
      if (queue[0] === turn || !queue.includes(turn)) return;
      this.#leave(name, turn);
      turn.refuse(signal.reason);
    });
    await granted;
    try {
      return await work({ name });
    } finally {
      this.#leave(name, turn);
    }
  }

  #queue(name) {
    if (!this.#queues.has(name)) this.#queues.set(name, []);
    return this.#queues.get(name);
  }

  #leave(name, turn) {
    const queue = this.#queue(name);
    const at = queue.indexOf(turn);
    if (at < 0) return;
    queue.splice(at, 1);
    if (at === 0) queue[0]?.grant();
  }
}
