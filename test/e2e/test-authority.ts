// A time stamp authority for tests: `openssl ts` with a certificate of its own, behind a loopback HTTP server.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

const CONFIG = `
[req]
distinguished_name = dn
[dn]
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
`;

export interface TestAuthority {
  readonly url: string;
  /** Changes what the authority sends back from here on. */
  tamper(change: (reply: Buffer) => Buffer): void;
  /** True when openssl accepts the token for these bytes. */
  verifies(response: Uint8Array, message: Uint8Array): boolean;
  close(): Promise<void>;
}

/** Makes key and certificate, and listens on loopback. */
export async function openTestAuthority(): Promise<TestAuthority> {
  const home = mkdtempSync(join(tmpdir(), 'writ-tsa-'));
  const openssl = (...words: string[]): Buffer =>
    execFileSync('openssl', words, { cwd: home, stdio: 'pipe' });
  writeFileSync(join(home, 'tsa.cnf'), CONFIG);
  writeFileSync(join(home, 'serial'), '01\n');
  openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'tsa.key');
  openssl(
    ...['req', '-new', '-x509', '-config', 'tsa.cnf', '-extensions', 'ext', '-key', 'tsa.key'],
    ...['-subj', '/CN=test authority', '-days', '2', '-out', 'tsa.pem'],
  );
  let change = (reply: Buffer): Buffer => reply;
  let count = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const name = `request-${++count}`;
      writeFileSync(join(home, `${name}.tsq`), Buffer.concat(parts));
      openssl('ts', '-reply', '-config', 'tsa.cnf', '-queryfile', `${name}.tsq`, '-out', `${name}.tsr`);
      response.setHeader('content-type', 'application/timestamp-reply');
      response.end(change(readFileSync(join(home, `${name}.tsr`))));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    tamper: (next) => {
      change = next;
    },
    verifies(response, message) {
      writeFileSync(join(home, 'given.tsr'), response);
      writeFileSync(join(home, 'given.txt'), message);
      const words = ['ts', '-verify', '-data', 'given.txt', '-in', 'given.tsr', '-CAfile', 'tsa.pem'];
      return spawnSync('openssl', words, { cwd: home }).status === 0;
    },
    async close() {
      await new Promise((resolve) => {
        server.close(resolve);
      });
      rmSync(home, { recursive: true, force: true });
    },
  };
}
