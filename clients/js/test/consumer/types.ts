// Compiled, never run: what an author writes, and what the types must refuse.

import {
  CountersignError,
  createClient,
  isCountersignError,
  keychain,
  type Change,
  type Client,
  type Credentials,
  type SecureStorage,
  type Session,
  type User,
} from '@countersign/client';

const client: Client = createClient({
  baseUrl: 'https://auth.example.com',
  apiOrigins: ['https://orders.example.com'],
  csrfCookieName: 'XSRF-TOKEN',
});

export async function story(): Promise<void> {
  const credentials: Credentials = { username: 'ada', password: 'secret', remember: false };
  const user: User = await client.login(credentials, { signal: new AbortController().signal });
  const id: number = user.id;
  const name: string = user.first_name;
  const restored: User | null = await client.restore();
  const state: User | null | undefined = client.user;
  await client.updateProfile({ first_name: 'Augusta' });
  await client.changePassword({ oldPassword: 'old', newPassword: 'new' });
  const sessions: Session[] = await client.sessions();
  await client.endSession(sessions[0]!.id);
  await client.endOtherSessions();
  const drop_in: typeof fetch = client.fetch;
  const response: Response = await drop_in('https://orders.example.com/orders', { method: 'POST' });
  await client.logout();
  void [id, name, restored, state, response];
}

export const leave: () => void = client.onChange((change: Change) => {
  if (change.type === 'session_ended') console.log(change.code);
  // @ts-expect-error there is no such change
  if (change.type === 'logged_out') console.log(change);
});

export function explain(error: unknown): string {
  if (!isCountersignError(error)) throw error;
  const seconds: number | undefined = error.retryAfter;
  const sentences: string[] | undefined = error.errors['new_password'];
  const status: number = error.status;
  switch (error.code) {
    case 'invalid_credentials':
    case 'unreachable':
    case 'a_code_of_my_own':
      return error.message;
    default:
      return [seconds, sentences, status, error instanceof CountersignError].join();
  }
}

// --- Custom fields ------------------------------------------------------------------------------

interface Fields {
  department: string;
}
const staff = createClient<Fields>({ baseUrl: '/' });

export async function fields(): Promise<void> {
  const department: string | undefined = staff.user?.department;
  const { department: same } = await staff.profile();
  await staff.updateProfile({ department: 'Engines' });
  // @ts-expect-error no such field
  await staff.updateProfile({ departement: 'Engines' });
  // @ts-expect-error no such field without saying so
  void client.user?.department;
  void [department, same];
}

// --- Secure storage -----------------------------------------------------------------------------

const storage: SecureStorage = {
  get: async (name) => (name === 'x' ? 'value' : null),
  set: async () => {},
  remove: async () => {},
};
createClient({ baseUrl: 'https://auth.example.com', storage: keychain(storage) });
// @ts-expect-error it goes through keychain
createClient({ baseUrl: 'https://auth.example.com', storage });
// @ts-expect-error every script of the page reads that
createClient({ baseUrl: '/', storage: keychain(localStorage) });
// @ts-expect-error the base URL is needed
createClient({});
// @ts-expect-error tokens are nobody's business
void client.accessToken;
// @ts-expect-error a password is needed
void client.login({ username: 'ada' });
