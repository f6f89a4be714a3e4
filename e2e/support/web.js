// A small internet: one TLS port of this machine, and hosts on it that each answer in their own way.
//
// It sees every request as it was sent and every answer as it was given, since it stands where a
// production proxy stands: in front of the API, where TLS ends.

import { createServer } from 'node:https';
import { request as forward } from 'node:http';
import { text } from 'node:stream/consumers';

import { onCleanUp } from './cleanup.js';
import { makeCertificate } from './tls.js';

/** Each `*` stands for one label, as in any certificate. */
const NAMES = ['*.test', '*.shop.test', '*.service.test'];

/**
 * Opens it.
 * @returns {Promise<Web>}
 */
export async function openWeb() {
  const { key, chain, pin } = await makeCertificate(NAMES);
  const web = new Web(pin);
  const server = createServer({ key, cert: chain }, (request, response) => {
    const handler = web.hosts.get(hostOf(request));
    if (handler) handler(request, response);
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  web.port = server.address().port;
  onCleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  return web;
}

class Web {
  hosts = new Map();

  constructor(pin) {
    this.pin = pin;
  }

  /** A host's origin. */
  origin(host) {
    return `https://${host}:${this.port}`;
  }

  /** Lets `handler(request, response)` answer for a host. */
  on(host, handler) {
    this.hosts.set(host, handler);
    return this.origin(host);
  }
}

function hostOf(request) {
  return request.headers.host?.split(':')[0];
}

/** Answers with pages: `{ '/': '<p>hello' }`. A page is HTML, or `{ status, headers, body }`. */
export function pages(byPath) {
  return (request, response) => {
    const page = byPath[new URL(request.url, 'https://any').pathname];
    const { status = 200, headers = {}, body = '' } =
      typeof page === 'string' ? { body: page } : (page ?? { status: 404 });
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body);
  };
}

/**
 * Answers as a proxy in front of `target`.
 * @param {string} target its origin
 * @param {object} [options]
 * @param {(request: { method: string, url: string, headers: object }) => void} [options.rewrite]
 *   may change what is handed on
 * @param {(text: string) => string} [options.edit] changes the text of headers and bodies that come back
 * @param {(seen: { request: object, handed: object, status: number, headers: object }) => void} [options.onExchange]
 *   told of every exchange
 */
export function proxy(target, { rewrite = () => {}, edit, onExchange = () => {} } = {}) {
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const handed = { method, url, headers: { ...headers } };
    rewrite(handed);
    const onward = forward(
      new URL(handed.url, target),
      { method: handed.method, headers: handed.headers },
      async (answer) => {
        const { statusCode: status, headers: answered } = answer;
        onExchange({ request: { method, url, headers }, handed, status, headers: answered });
        if (!edit) {
          outgoing.writeHead(status, answer.rawHeaders);
          answer.pipe(outgoing);
          return;
        }
        const edited = edit(await text(answer));
        for (const [name, value] of Object.entries(answered)) {
          if (name !== 'content-length') outgoing.setHeader(name, [value].flat().map(edit));
        }
        outgoing.writeHead(status).end(edited);
      },
    );
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  };
}
