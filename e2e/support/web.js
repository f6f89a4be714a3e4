// A small internet: hosts that each answer in their own way, all of them on this machine.
//
// It sees every request as it was sent and every answer as it was given, since it stands where a
// production proxy stands: in front of the API, where TLS ends.

import { createServer, request as forward } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';

import { onCleanUp } from './cleanup.js';
import { makeCertificate } from './tls.js';

/** The hosts that certificates are for. */
const NAMES = ['*.test', '*.shop.test', '*.service.test'];

/**
 * Opens it.
 * @returns {Promise<Web>} its `pin` is what a browser needs to believe in its certificates
 */
export async function openWeb() {
  const { key, chain, pin } = await makeCertificate(NAMES);
  const handlers = new Map();
  const answer = (request, response) => {
    const host = request.headers.host?.split(':')[0];
    (handlers.get(host) ?? notFound)(request, response);
  };
  const port = await listen(createTlsServer({ key, cert: chain }, answer));
  return new Web(pin, port, handlers);
}

class Web {
  #port;
  #handlers;

  constructor(pin, port, handlers) {
    this.pin = pin;
    this.#port = port;
    this.#handlers = handlers;
  }

  /**
   * A place for a server: a host of its own behind TLS or, for `localhost`, a port of its own.
   * @returns {Promise<{ origin: string, serve: (handler: Function) => void }>}
   */
  async place(host) {
    if (host === 'localhost') {
      let handler = notFound;
      const port = await listen(createServer((request, response) => handler(request, response)));
      return { origin: `http://localhost:${port}`, serve: (its) => (handler = its) };
    }
    const origin = `https://${host}:${this.#port}`;
    return { origin, serve: (handler) => this.#handlers.set(host, handler) };
  }

  /** Serves pages at a host, and tells its origin. */
  async publish(host, byPath) {
    const { origin, serve } = await this.place(host);
    serve(pages(byPath));
    return origin;
  }
}

async function listen(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return server.address().port;
}

function notFound(_, response) {
  response.writeHead(404).end();
}

/** Answers with pages: `{ '/': '<p>hello' }`. A page is HTML, or `{ status, headers, body }`. */
function pages(byPath) {
  return (request, response) => {
    const page = byPath[new URL(request.url, 'https://any').pathname] ?? { status: 404 };
    const {
      status = 200,
      headers = {},
      body = '',
    } = typeof page === 'string' ? { body: page } : page;
    response
      .writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers })
      .end(body);
  };
}

/**
 * Answers as a proxy in front of `target`.
 * @param {string} target its origin
 * @param {object} [options]
 * @param {(request: Request) => object | void} [options.rewrite] may change what is handed on
 *   (`method`, `url`, `headers`), or return an answer (`status`, `headers`) of its own
 * @param {(answer: object, request: Request) => void} [options.mark] may change `answer.headers`
 * @param {(text: string) => string} [options.edit] changes the text of the body and of every header
 * @param {(exchange: { request: Request, status: number }) => void} [options.onExchange] told of
 *   each request as it came, and how it was answered
 */
export function proxy(target, { rewrite, mark, edit, onExchange } = {}) {
  return (incoming, outgoing) => {
    const request = { method: incoming.method, url: incoming.url, headers: incoming.headers };
    const handed = { ...request, headers: { ...request.headers } };
    const finish = ({ status, headers }) => {
      onExchange?.({ request, status });
      for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
      outgoing.writeHead(status);
    };
    const own = rewrite?.(handed);
    if (own) {
      finish(own);
      outgoing.end();
      return;
    }
    const { method, url, headers } = handed;
    const onward = forward(new URL(url, target), { method, headers }, async (response) => {
      const answer = { status: response.statusCode, headers: response.headers };
      mark?.(answer, request);
      if (edit) {
        const body = edit(await text(response));
        delete answer.headers['content-length'];
        const edited = Object.entries(answer.headers).map(([name, value]) => [
          name,
          [value].flat().map(edit),
        ]);
        finish({ ...answer, headers: Object.fromEntries(edited) });
        outgoing.end(body);
      } else {
        finish(answer);
        response.pipe(outgoing);
      }
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  };
}
