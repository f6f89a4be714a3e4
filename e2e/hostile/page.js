// The attacker's site: a page with the tools, one that opens it in a sandbox, and a redirection.

import { readFile } from 'node:fs/promises';

const TOOLS = await readFile(new URL('tools.js', import.meta.url), 'utf8');

/** Puts the attacker's site at a host of the web, and tells its origin. */
export async function publishHostilePage(web, host) {
  const { origin, serve } = await web.place(host);
  serve((request, response) => {
    const { pathname, search } = new URL(request.url, origin);
    const html = (body) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(body);
    const page = `<!doctype html><title>win a prize</title><body><script>${TOOLS}</script>`;
    if (pathname === '/') html(page);
    else if (pathname === '/sandbox') html(sandboxed('/'));
    else if (pathname === '/307') response.writeHead(307, passOn(request, search.slice(1))).end();
    else response.writeHead(404).end();
  });
  return origin;
}

/** To the next place with the same method, and whoever asks may follow. */
function passOn(request, location) {
  return {
    location,
    'access-control-allow-origin': request.headers.origin ?? '*',
    'access-control-allow-credentials': 'true',
  };
}

/** The same page in a frame whose origin is `null`. */
function sandboxed(url) {
  return `<!doctype html><title>win a prize</title>
    <iframe name="sandbox" src="${url}" sandbox="allow-scripts allow-forms"></iframe>`;
}
