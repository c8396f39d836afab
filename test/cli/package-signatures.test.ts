// A ceiling that lets only signed packages run, from the first refusal to the run: `agents.requireSigners` of a ceiling,
// the key in package-signers.yaml, the signature beside the package.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest } from '../contract/packages.js';
import { addSignature, newSigner } from '../contract/cosign.js';
import { type Desk, errorOf, FLOW, LOW, newDesk } from './claims-desk.js';
import { hosted } from './writ.js';

const SIGNER = 'cosign:bank-release';
const release = newSigner();

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
  desk.changePolicy('ceilings/org.yaml', (ceiling) => {
    ceiling.setIn(['spec', 'agents', 'requireSigners'], [SIGNER]);
  });
});
afterAll(() => {
  desk.remove();
});

function trust(name: string, key: string): void {
  writeFileSync(
    desk.at('policies', 'package-signers.yaml'),
    `apiVersion: writ/v1\nkind: PackageSigners\nsigners:\n  - name: ${name}\n    key: ${key}\n`,
  );
}

function signAll(): void {
  const packages = desk.at('example', 'packages');
  const { manifests } = JSON.parse(readFileSync(desk.at('example', 'packages', 'index.json'), 'utf8')) as {
    manifests: { digest: string; artifactType?: string }[];
  };
  for (const one of manifests) {
    if (one.artifactType !== undefined) addSignature(packages, digest(one.digest), release);
  }
}

describe('agents.requireSigners', () => {
  it('refuses a package that nobody has signed, and says who should have', async () => {
    const ran = await desk.run(['--json', 'run', FLOW, '--input', LOW]);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toContain('agents.requireSigners');
    expect(ran.stdout).toContain(SIGNER);
    const lint = await desk.run(['--json', 'policy', 'lint']);
    expect(lint.stdout).toContain('signer-unknown');
  });

  it('refuses a package whose signature is by another key than policy has for that name', async () => {
    signAll();
    trust(SIGNER, newSigner().key);
    const ran = await desk.run(['--json', 'run', FLOW, '--input', LOW]);
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toContain('agents.requireSigners');
  });

  it('lets it run once the key is the one that signed, and the name the one that is required', async () => {
    trust('cosign:other', release.key);
    expect((await desk.run(['--json', 'run', FLOW, '--input', LOW])).code).not.toBe(0);
    trust(SIGNER, release.key);
    expect(await desk.run(['--json', 'run', FLOW, '--input', LOW])).toMatchObject({ code: 0 });
    expect((await desk.run(['--json', 'policy', 'lint'])).stdout).not.toContain('signer-unknown');
  });

  it.each([
    ['a key of another kind', `cosign:a`, 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A'],
    ['a key of another curve', 'cosign:a', 'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE'],
    ['no name', '"cosign release"', release.key],
  ])('is refused at load with %s in package-signers.yaml, with its place', async (_what, name, key) => {
    trust(name, key);
    const ran = await desk.json(['policy', 'lint']);
    expect(ran.code).toBe(2);
    expect(JSON.stringify(errorOf(ran))).toContain('package-signers.yaml');
    trust(SIGNER, release.key);
  });

  it('is refused at load where one key has two names', async () => {
    writeFileSync(
      desk.at('policies', 'package-signers.yaml'),
      `apiVersion: writ/v1\nkind: PackageSigners\nsigners:\n  - { name: a, key: ${release.key} }\n  - { name: b, key: ${release.key} }\n`,
    );
    const ran = await desk.json(['policy', 'lint']);
    expect(ran.code).toBe(2);
    expect(JSON.stringify(errorOf(ran))).toContain('already belongs to a');
  });
});
