// The certificate authority of one step: made when its way out opens, kept in memory, gone when it closes. It signs for
// the hosts that get a secret of the step, and only the step is told to trust it.
import { createSecureContext, type SecureContext } from 'node:tls';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** What a server shows as `hostname`; made once. */
  contextFor(hostname: string): Promise<SecureContext>;
}

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;
/** Longer than a step can run, on a clock that is a little wrong. */
const LIFE_MS = 24 * HOUR_MS;

/** Loads the library, which is heavy. */
export async function makeAuthority(nowMs: number): Promise<Authority> {
  // Decorators of the library need it, and it has to be there first.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  const [own, server] = await Promise.all([keyPair(), keyPair()]);
  const times = { notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + LIFE_MS) };
  const issuer = 'CN=Writ egress of one step';
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...times,
    name: issuer,
    keys: own,
    signingAlgorithm: KEY,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(own.publicKey),
    ],
  });
  const key = pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', server.privateKey));
  const contexts = new Map<string, Promise<SecureContext>>();
  const make = async (hostname: string): Promise<SecureContext> => {
    const leaf = await x509.X509CertificateGenerator.create({
      ...times,
      issuer,
      subject: 'CN=Writ egress',
      publicKey: server.publicKey,
      signingKey: own.privateKey,
      signingAlgorithm: KEY,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: isIP(hostname) === 0 ? 'dns' : 'ip', value: hostname },
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(own.publicKey),
      ],
    });
    return createSecureContext({ key, cert: leaf.toString('pem'), minVersion: 'TLSv1.2' });
  };
  return {
    certificate: `${root.toString('pem')}\n`,
    contextFor(hostname) {
      const made = contexts.get(hostname) ?? make(hostname);
      contexts.set(hostname, made);
      return made;
    },
  };
}

function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
}

function pem(label: string, bytes: ArrayBuffer): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/gu) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
