// What a hostile page has at hand. It runs in the attacker's page, in the victim's browser.
//
// Each tool makes the browser send something, waits until that is over, and returns what the page
// could read of the answer: `null` for nothing.

const LONGEST_WAIT = 3_000; // milliseconds

/** Sends a form into a frame, or into a window of its own. */
async function submit(
  action,
  { method = 'post', enctype = '', rel = '', fields = {}, inWindow = false } = {},
) {
  const form = document.createElement('form');
  Object.assign(form, { action, method, enctype, rel });
  for (const [name, value] of Object.entries(fields)) {
    const input = Object.assign(document.createElement('input'), { type: 'hidden', name, value });
    form.append(input);
  }
  document.body.append(form);
  if (inWindow) {
    const opened = open('about:blank', 'form-target');
    form.target = 'form-target';
    form.submit();
    return readWindow(opened);
  }
  const frame = document.createElement('iframe');
  form.target = frame.name = `frame-${document.forms.length}`;
  document.body.append(frame);
  const loaded = event(frame, 'load');
  form.submit();
  await loaded;
  return readFrame(frame);
}

/** Fetches, with the victim's cookies. */
async function send(url, { asBlob, ...options } = {}) {
  try {
    if (asBlob) options.body = new Blob([options.body], { type: asBlob });
    const answer = await fetch(url, { method: 'POST', credentials: 'include', ...options });
    return (
      [answer.status || '', await answer.text(), ...[...answer.headers].flat()].join('') || null
    );
  } catch {
    return null;
  }
}

/** The same, the old way. */
function xhr(url, { method = 'POST', headers = {}, body } = {}) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.onloadend = () =>
      resolve(request.responseText + request.getAllResponseHeaders() || null);
    request.open(method, url);
    request.withCredentials = true;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}

async function beacon(url, body, type) {
  try {
    navigator.sendBeacon(url, type ? new Blob([body], { type }) : body);
  } catch {
    return null; // the browser refuses to queue it
  }
  await pause(500);
  return null;
}

/** Loads something as a part of this page: `embed('img', 'src', url)`. */
async function embed(tag, attribute, url, more = {}) {
  const element = Object.assign(document.createElement(tag), more);
  const globals = Object.keys(window).length;
  element[attribute] = url;
  const over = Promise.race([event(element, 'load'), event(element, 'error')]);
  document.body.append(element);
  if ((await over) !== 'load') return null;
  if (tag === 'script') return Object.keys(window).length === globals ? null : 'a script ran';
  if (tag === 'link')
    return [...element.sheet.cssRules].map((rule) => rule.cssText).join('') || null;
  if (tag === 'img') return 'a picture';
  return readFrame(element);
}

function events(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url, { withCredentials: true });
    source.onmessage = ({ data }) => resolve(data);
    source.onopen = () => resolve('a stream');
    source.onerror = () => {
      source.close();
      resolve(null);
    };
  });
}

function socket(url) {
  return new Promise((resolve) => {
    const opened = new WebSocket(url.replace(/^http/, 'ws'));
    opened.onopen = () => resolve('a socket');
    opened.onerror = () => resolve(null);
  });
}

async function importModule(url) {
  try {
    return JSON.stringify(await import(url));
  } catch {
    return null;
  }
}

/** Opens a window there, and tries to look into it. */
function openWindow(url) {
  return readWindow(open(url));
}

/** The CSRF token, where a cookie that this page can read holds it. */
function readCsrfCookie() {
  try {
    return /csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? null;
  } catch {
    return null; // a sandbox has no cookies at all
  }
}

// --- Waiting and looking ------------------------------------------------------------------------

async function readWindow(opened) {
  if (!opened) return null;
  await pause(700);
  try {
    return opened.document.body.textContent || null;
  } catch {
    return null;
  } finally {
    opened.close();
  }
}

function readFrame(frame) {
  try {
    return frame.contentDocument?.body?.textContent || null;
  } catch {
    return null;
  }
}

/** The name of the event, or nothing when it doesn't come. */
function event(target, name) {
  return new Promise((resolve) => {
    target.addEventListener(name, () => resolve(name), { once: true });
    setTimeout(resolve, LONGEST_WAIT);
  });
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
