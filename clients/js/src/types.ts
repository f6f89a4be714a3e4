// The package's public types. There is nothing in here at run time.

import type { Delivery } from './delivery.js';
import type { components } from './openapi.js';

type Schemas = components['schemas'];

/** A user, with your custom fields in `Fields`. */
export type User<Fields = unknown> = Schemas['User'] & Fields;

/** One of the places where a user is signed in. */
export type Session = Schemas['Session'];

export type Credentials = Omit<Schemas['Login'], 'token_delivery'>;

/** What a user may change of their profile; what is left out stays. */
export type ProfileChanges<Fields = unknown> = Schemas['ProfileChange'] & Partial<Fields>;

/** The server's codes, and the client's own. A server of your own may have more. */
export type ErrorCode =
  | Schemas['Code']
  | 'unreachable'
  | 'timeout'
  | 'unexpected_answer'
  | 'redirected'
  | 'user_changed'
  | (string & {});

export interface ClientOptions {
  /** Where the API is, with its path if it has one. A relative URL is relative to the page. */
  baseUrl: string;

  /** More origins (`https://orders.example.com`) that `fetch` may send the access token to. */
  apiOrigins?: string[];

  /** The server's `csrf_cookie_name`, without a prefix. Default: `csrftoken`. */
  csrfCookieName?: string;

  /**
   * Where the refresh token is kept in an app that is no web page (React Native, Electron, Node). With
   * this the server puts it into the answer's body instead of a cookie. `keychain` makes it.
   */
  storage?: (base: string) => Delivery;

  /** Takes the place of what the platform offers: for tests, and for platforms that lack something. */
  platform?: Partial<Platform>;
}

/** The system's keychain, or what comes near it. Values may be given at once or as promises. */
export interface SecureStorage {
  get(name: string): MaybePromise<string | null | undefined>;
  set(name: string, value: string): MaybePromise<unknown>;
  remove(name: string): MaybePromise<unknown>;
}

/**
 * What changed.
 * - `signed_in`: by a login, by a restored session, or in another tab.
 * - `signed_out`: by a logout here or in another tab; or nobody was signed in to begin with.
 * - `session_ended`: the server ended it; `code` says why.
 * - `user_changed`: another user signed in elsewhere in this browser. The client has stopped: reload the
 *   page, or call `restore()`, to go on as that user.
 * - `user_updated`: the same user, with another profile.
 */
export type ChangeType =
  'signed_in' | 'signed_out' | 'session_ended' | 'user_changed' | 'user_updated';

export interface Change<U = User> {
  type: ChangeType;
  user: U | null;
  /** The server's reason, with `session_ended`. */
  code?: ErrorCode;
}

export interface Abortable {
  signal?: AbortSignal | undefined;
}

export interface Client<Fields = unknown> {
  /** Who is signed in. `null`: nobody. `undefined`: not known before `restore()` or a first call. */
  readonly user: User<Fields> | null | undefined;

  /** Finds the session again after a reload. Asks the server once, however often it is called. */
  restore(options?: Abortable): Promise<User<Fields> | null>;

  login(credentials: Credentials, options?: Abortable): Promise<User<Fields>>;

  /** Rejects when the server couldn't be told: then the user is still signed in. */
  logout(options?: Abortable): Promise<void>;

  profile(options?: Abortable): Promise<User<Fields>>;

  updateProfile(changes: ProfileChanges<Fields>, options?: Abortable): Promise<User<Fields>>;

  /** Ends every session of the user, and starts a new one here (and in this browser's other tabs). */
  changePassword(
    passwords: { oldPassword: string; newPassword: string },
    options?: Abortable,
  ): Promise<User<Fields>>;

  sessions(options?: Abortable): Promise<Session[]>;

  /** Ends another of the user's sessions. For this one there is `logout`. */
  endSession(id: string, options?: Abortable): Promise<void>;

  /** Ends all of the user's sessions but this one. */
  endOtherSessions(options?: Abortable): Promise<void>;

  /**
   * The platform's `fetch`, signed in: requests to the API carry the access token, and one that is
   * refused because the token is too old is sent again with a new one. To other origins, and with an
   * `Authorization` header of your own, it does what the platform's does.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  /** Calls `listener` at each change, until the function it returns is called. */
  onChange(listener: (change: Change<User<Fields>>) => void): () => void;
}

type MaybePromise<T> = T | Promise<T>;

/** All that the client takes from where it runs. */
export interface Platform {
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  /** Milliseconds, by clocks that fail in different ways: one that is never set, one that never sleeps. */
  clocks(): number[];

  setTimeout(action: () => void, milliseconds: number): unknown;

  clearTimeout(timer: any): void;

  /** At least 128 random bits, in 22 to 128 ASCII letters and digits. */
  random(): string;

  /** The page's own URL. */
  location: { href: string; origin: string } | undefined;

  /** `document.cookie` */
  cookies(): string;

  /** A channel to the other tabs, or nothing. */
  channel(name: string): Channel | undefined;

  /** Web Locks, or nothing. */
  locks: Pick<LockManager, 'request'> | undefined;

  /** What all tabs see, and what outlives a reload: for the `Idempotency-Key`. It never holds a token. */
  notes: Notes | undefined;

  /** Tells when the page is put away, perhaps to come back from the back/forward cache, and when it is seen. */
  onLifecycle(away: () => void, here: () => void): void;
}

export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

export interface Notes {
  get(name: string): string | null | undefined;
  set(name: string, value: string): void;
  remove(name: string): void;
}
