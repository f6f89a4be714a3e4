// A page that uses @countersign/client as its README says, and does one thing more: the client is in
// a global, where an injected script will look first.

import { createClient } from '/client/index.js';

const { api } = await (await fetch('/config.json')).json();
globalThis.client = createClient({ baseUrl: api });
