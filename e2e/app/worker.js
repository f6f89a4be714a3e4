// A service worker as apps have it: it hands requests on, and counts them.

import { createClient } from '/client/index.js';

let handed = 0;

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  handed += 1;
  event.respondWith(fetch(event.request));
});

// It has a client of its own too, since it may want to call the API when no page is open.
let client;
addEventListener('message', async ({ data: { api }, ports: [port] }) => {
  client ??= createClient({ baseUrl: api });
  const user = await client.restore();
  port.postMessage({ handed, user });
});
