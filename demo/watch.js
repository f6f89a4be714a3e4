// How this page looks over its client's shoulder.
//
// The client keeps its tokens in a closure and shows them to nobody. So the page hands it what it
// would take from the browser (`fetch`, a clock, a channel to the other tabs) and reads what passes
// through. A page of your own has no need of this, and leaves it out.

/**
 * @param {object} options
 * @param {string} options.api the API's origin
 * @param {(exchange: object) => void} options.onExchange told of every request and its answer
 * @param {() => void} options.onTab told when another tab sent its tokens
 * @param {() => void} options.onTokens told when other tokens were seen
 */
export function createWatch({ api, onExchange, onTab, onTokens }) {
  let tokens = {};
  let skipped = 0; // milliseconds by which the client's clock is put forward

  // --- What the client is handed --------------------------------------------------------------

  const platform = {
    async fetch(input, init) {
      const request = new Request(input, init);
      // One that no answer has brought was read from the cookie.
      const csrfToken = request.headers.get('X-CSRFTOKEN');
      if (csrfToken) see({ csrfToken }, 'a cookie that script on this host can read');

      const { response, answer } = await observe(request);
      if (answer.ok) read(answer.body, `the body of ${request.method} ${pathOf(request)}`);
      return response;
    },

    clocks: () => [performance.now() + skipped, Date.now()],

    channel(name) {
      const channel = new BroadcastChannel(name);
      channel.addEventListener('message', ({ data }) => {
        if (!data.tokens || data.tokens.accessToken === tokens.accessToken) return;
        const { accessToken, csrfToken, lifetime, born } = data.tokens;
        see({ accessToken, csrfToken, expiresAt: born + lifetime }, 'another tab');
        onTab();
      });
      return channel;
    },
  };

  // --- What the page does itself --------------------------------------------------------------

  /** One request past the client, exactly as told: for the experiments, which leave something out. */
  async function exchange({ method, path, headers = {}, body, expected }) {
    const request = new Request(api + path, {
      method,
      headers: body ? { ...headers, 'Content-Type': 'application/json' } : headers,
      body: JSON.stringify(body),
      credentials: 'include',
      cache: 'no-store',
    });
    const { answer } = await observe(request, expected);
    return answer;
  }

  /** Lets the client believe that its token has grown old. */
  function letTimePass() {
    skipped += tokens.expiresAt - Date.now();
  }

  // --- What is seen ---------------------------------------------------------------------------

  async function observe(request, expected) {
    const { method, headers } = request;
    const text = await request.clone().text();
    const body = text && JSON.parse(text);
    const sent = { method, path: pathOf(request), headers, body, expected };
    const started = performance.now();
    let answer;
    try {
      const response = await fetch(request);
      answer = await readAnswer(response.clone());
      return { response, answer };
    } finally {
      const milliseconds = Math.round(performance.now() - started);
      onExchange({ request: sent, answer, milliseconds });
    }
  }

  function read(body, source) {
    const { access_token: accessToken, csrf_token: csrfToken, expires_in: seconds } = body ?? {};
    const expiresAt = Date.now() + seconds * 1000;
    if (accessToken) see({ accessToken, csrfToken, expiresAt }, source);
    else if (csrfToken) see({ csrfToken }, source);
  }

  function see(seen, source) {
    if (seen.csrfToken !== tokens.csrfToken) tokens.csrfSource = source;
    tokens = { ...tokens, ...seen };
    onTokens();
  }

  const pathOf = ({ url }) => url.slice(api.length);

  return {
    platform,
    exchange,
    letTimePass,
    tokens: () => tokens,
    forget() {
      tokens = {};
    },
  };
}

async function readAnswer(response) {
  const { ok, status, headers } = response;
  const text = await response.text();
  const isJson = /\bjson\b/.test(headers.get('Content-Type') ?? '');
  const body = isJson ? JSON.parse(text) : text && { detail: text.slice(0, 500) };
  return { ok, status, headers, body, code: body?.code };
}
