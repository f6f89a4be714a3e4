// A small server that keeps the contract: generations rotate, a grace and keys forgive a lost answer, and
// what is older is theft. So a client that treats its tokens wrongly is found out.

const REFRESH_LIFETIME = 604_800_000;

export class FakeServer {
  accessLifetime = 300;
  grace = 10_000;
  cookieName = 'csrftoken';
  refreshName = 'refreshtoken';

  users = new Map([
    [
      1,
      {
        id: 1,
        username: 'ada',
        email: 'ada@example.com',
        first_name: 'Ada',
        last_name: '',
        is_active: true,
      },
    ],
    [
      2,
      {
        id: 2,
        username: 'bob',
        email: 'bob@example.com',
        first_name: 'Bob',
        last_name: '',
        is_active: true,
      },
    ],
  ]);
  password = 'correct horse battery staple';
  sessions = new Map();
  thefts = 0;
  rotations = 0;
  #count = 0;
  #clock;

  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * @param {{ method: string, path: string, headers: Headers, body: any, cookies: Map<string, string> }} request
   * @returns {{ status: number, body?: any, headers?: object, cookies?: [string, string | null][] }}
   */
  answer(request) {
    try {
      return this.#route(request);
    } catch (refusal) {
      if (refusal instanceof Refusal) return refusal.answer();
      throw refusal;
    }
  }

  #route({ method, path, headers, body, cookies }) {
    switch (`${method} ${path}`) {
      case 'POST /accounts/login':
        return this.#login(body, cookies);
      case 'POST /accounts/refresh_token':
        return this.#refresh(headers, body, cookies);
      case 'POST /accounts/logout':
        return this.#logout(headers, body, cookies);
      case 'GET /accounts/csrf':
        return this.#csrf(cookies);
    }
    const session = this.#guard(method, headers);
    const user = this.users.get(session.user);
    switch (`${method} ${path}`) {
      case 'GET /accounts/profile':
        return { status: 200, body: { user } };
      case 'PATCH /accounts/profile':
        this.users.set(user.id, { ...user, ...body });
        return { status: 200, body: { user: this.users.get(user.id) } };
      case 'POST /accounts/password':
        if (body.old_password !== this.password) throw new Refusal(403, 'wrong_password');
        if (body.new_password.length < 15) {
          throw new Refusal(400, 'invalid_password', {
            errors: { new_password: ['It is too short.'] },
          });
        }
        this.endAll(user.id);
        this.password = body.new_password;
        return this.#begin(user.id, session.delivery);
      case 'GET /accounts/sessions':
        return { status: 200, body: { sessions: this.#list(session) } };
      case 'DELETE /accounts/sessions':
        for (const other of this.sessions.values())
          if (other !== session) other.ended ??= 'session_ended';
        return { status: 204 };
    }
    if (method === 'DELETE' && path.startsWith('/accounts/sessions/')) {
      const other = this.sessions.get(path.split('/').at(-1));
      if (other?.user !== user.id) throw new Refusal(404, 'not_found');
      other.ended ??= 'session_ended';
      return { status: 204 };
    }
    if (path.startsWith('/api/')) {
      return { status: 200, body: { path, method, user: user.username, body } };
    }
    throw new Refusal(404, 'not_found');
  }

  endAll(user, reason = 'session_ended') {
    for (const session of this.sessions.values())
      if (session.user === user) session.ended ??= reason;
  }

  live() {
    return [...this.sessions.values()].filter((session) => !session.ended);
  }

  // --- Sessions -------------------------------------------------------------------------------

  #login(body, cookies) {
    if (!body?.username || !body.password) throw new Refusal(400, 'missing_credentials');
    const user = [...this.users.values()].find(({ username }) => username === body.username);
    if (!user || body.password !== this.password) throw new Refusal(401, 'invalid_credentials');
    const old = this.#presented(cookies);
    if (old) old.session.ended ??= 'session_ended';
    return this.#begin(user.id, body.token_delivery ?? 'cookie');
  }

  #begin(user, delivery) {
    this.#count += 1;
    const session = {
      id: `session-${this.#count}`,
      user,
      delivery,
      csrf: delivery === 'cookie' ? `csrf-${this.#count}` : undefined,
      generation: 1,
      rotatedAt: this.#clock.wall,
      keys: new Set(),
      ended: undefined,
    };
    this.sessions.set(session.id, session);
    return this.#grant(session);
  }

  #grant(session) {
    this.#count += 1;
    const expiresAt = this.#clock.wall + this.accessLifetime * 1000;
    const refresh = `refresh-${session.id}.${session.generation}.${this.#clock.wall + REFRESH_LIFETIME}`;
    const isCookie = session.delivery === 'cookie';
    return {
      status: 200,
      body: {
        access_token: `access-${session.id}.${this.#count}.${expiresAt}`,
        token_type: 'Bearer',
        expires_in: this.accessLifetime,
        user: this.users.get(session.user),
        ...(isCookie ? { csrf_token: session.csrf } : { refresh_token: refresh }),
      },
      cookies: isCookie
        ? [
            [this.refreshName, refresh],
            [this.cookieName, session.csrf],
          ]
        : [],
    };
  }

  #refresh(headers, body, cookies) {
    const token = body?.refresh_token ? this.#read(body.refresh_token) : this.#presented(cookies);
    if (token === undefined) throw new Refusal(401, 'not_authenticated');
    if (token === null) throw new Refusal(401, 'refresh_token_invalid');
    const { session, generation } = token;
    if (this.#clock.wall >= token.expiresAt) throw new Refusal(401, 'refresh_token_expired');
    if (session.csrf && headers.get('X-CSRFTOKEN') !== session.csrf)
      throw new Refusal(403, 'csrf_failed');
    if (session.ended) throw new Refusal(401, session.ended);

    const key = headers.get('Idempotency-Key');
    if (key !== null && !/^[\x21-\x7e]{22,128}$/.test(key))
      throw new Refusal(400, 'malformed_header');
    const isRecent = this.#clock.wall - session.rotatedAt < this.grace;
    if (generation === session.generation) {
      if (!isRecent) {
        session.generation += 1;
        session.rotatedAt = this.#clock.wall;
        session.keys = new Set([key]);
        this.rotations += 1;
      }
    } else if (
      generation === session.generation - 1 &&
      (isRecent || (key && session.keys.has(key)))
    ) {
      if (isRecent) session.keys.add(key);
    } else {
      this.thefts += 1;
      session.ended = 'session_ended';
      throw new Refusal(401, 'refresh_token_reused');
    }
    return this.#grant(session);
  }

  #logout(headers, body, cookies) {
    const token = body?.refresh_token ? this.#read(body.refresh_token) : this.#presented(cookies);
    const { session } = token ?? {};
    if (session?.csrf && headers.get('X-CSRFTOKEN') !== session.csrf)
      throw new Refusal(403, 'csrf_failed');
    const access = (headers.get('Authorization') ?? '')
      .slice('Bearer access-'.length)
      .split('.')[0];
    for (const one of [session, this.sessions.get(access)]) if (one) one.ended ??= 'session_ended';
    return {
      status: 204,
      cookies: [
        [this.refreshName, null],
        [this.cookieName, null],
      ],
    };
  }

  #csrf(cookies) {
    const token = this.#presented(cookies);
    if (!token) throw new Refusal(401, 'not_authenticated');
    if (token.session.ended) throw new Refusal(401, token.session.ended);
    const { csrf } = token.session;
    return { status: 200, body: { csrf_token: csrf }, cookies: [[this.cookieName, csrf]] };
  }

  #presented(cookies) {
    const value = cookies.get(this.refreshName);
    return value === undefined ? undefined : this.#read(value);
  }

  #read(token) {
    const [id, generation, expiresAt] = token.slice('refresh-'.length).split('.');
    const session = this.sessions.get(id);
    return session
      ? { session, generation: Number(generation), expiresAt: Number(expiresAt) }
      : null;
  }

  // --- Private routes -------------------------------------------------------------------------

  #guard(method, headers) {
    const authorization = headers.get('Authorization');
    if (!authorization) throw new Refusal(401, 'not_authenticated');
    const [id, , expiresAt] = authorization.slice('Bearer access-'.length).split('.');
    const session = this.sessions.get(id);
    if (!session) throw new Refusal(401, 'token_invalid');
    if (this.#clock.wall >= Number(expiresAt)) throw new Refusal(401, 'token_expired');
    const isUnsafe = !['GET', 'HEAD', 'OPTIONS'].includes(method);
    if (isUnsafe && session.csrf && headers.get('X-CSRFTOKEN') !== session.csrf) {
      throw new Refusal(403, 'csrf_failed');
    }
    if (session.ended) throw new Refusal(401, session.ended);
    return session;
  }

  #list(current) {
    return [...this.sessions.values()]
      .filter((session) => session.user === current.user && !session.ended)
      .map((session) => ({
        id: session.id,
        created_at: '2030-01-01T00:00:00Z',
        last_used_at: '2030-01-01T00:00:00Z',
        expires_at: '2030-01-08T00:00:00Z',
        ip: '127.0.0.1',
        user_agent: null,
        current: session === current,
      }));
  }
}

/** A problem document on its way out. */
export class Refusal extends Error {
  constructor(status, code, { headers = {}, errors } = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.errors = errors;
  }

  answer() {
    const { status, code, errors } = this;
    return {
      status,
      headers: { 'Content-Type': 'application/problem+json', ...this.headers },
      body: {
        type: 'about:blank',
        title: code,
        status,
        code,
        detail: `The reason is ${code}.`,
        errors,
      },
    };
  }
}
