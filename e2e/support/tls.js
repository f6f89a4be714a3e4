// A certification authority for one run, and a certificate of it for every host under `.test`.

import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

/**
 * Makes both for these hosts.
 * @returns {Promise<{ key: string, chain: string, pin: string }>} PEM; `pin` is what Chromium's
 *   `--ignore-certificate-errors-spki-list` wants: the SHA-256 of the authority's public key
 */
export async function makeCertificate(hosts) {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-e2e-tls-'));
  const at = (name) => join(folder, name);
  const openssl = (...args) => promisify(execFile)('openssl', args);
  try {
    const authority = ['-x509', '-subj', '/CN=Countersign e2e', '-addext', 'keyUsage=keyCertSign'];
    await openssl('req', ...authority, ...NEW_KEY, '-keyout', at('ca.key'), '-out', at('ca.pem'));
    const names = hosts.map((host) => `DNS:${host}`).join(',');
    const leaf = ['-x509', '-subj', '/CN=e2e', '-addext', `subjectAltName=${names}`];
    const extensions = [
      '-addext',
      'basicConstraints=critical,CA:FALSE',
      '-addext',
      'extendedKeyUsage=serverAuth',
    ];
    const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')];
    const out = ['-keyout', at('key.pem'), '-out', at('cert.pem')];
    await openssl('req', ...leaf, ...extensions, ...signed, ...NEW_KEY, ...out);
    const read = (name) => readFile(at(name), 'utf8');
    const ca = await read('ca.pem');
    const publicKey = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' });
    return {
      key: await read('key.pem'),
      chain: (await read('cert.pem')) + ca,
      pin: createHash('sha256').update(publicKey).digest('base64'),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
