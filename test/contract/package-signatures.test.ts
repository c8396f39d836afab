// Signatures of agent packages in the form of cosign: whose signature counts for which package, and whose does not.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { importPackage, importSignatures, openOciLayout } from '../../src/adapters/packages/index.js';
import { addSignature, newSigner, signatureLayer, simpleSigning } from './cosign.js';
import { digest } from './packages.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/claims-review/packages', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'writ-signatures-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const [TRIAGE, ASSISTANT] = [0, 1].map((at) => {
  const { manifests } = JSON.parse(readFileSync(join(EXAMPLE, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  return digest(manifests[at]?.digest ?? '');
}) as [ReturnType<typeof digest>, ReturnType<typeof digest>];

let layout = '';
let count = 0;
beforeEach(() => {
  layout = join(scratch, String(count++));
  cpSync(EXAMPLE, layout, { recursive: true });
});

const release = newSigner();
const audit = newSigner('ed25519');

async function isSigned(key: string, at = layout): Promise<boolean | undefined> {
  return (await openOciLayout([at]).resolve(TRIAGE))?.isSignedBy(key);
}

describe('a signature of a package', () => {
  it('counts for the key that made it, ECDSA and Ed25519, and for no other key', async () => {
    expect(await isSigned(release.key)).toBe(false);
    addSignature(layout, TRIAGE, release);
    addSignature(layout, TRIAGE, audit);
    expect(await isSigned(release.key)).toBe(true);
    expect(await isSigned(audit.key)).toBe(true);
    expect(await isSigned(newSigner().key)).toBe(false);
    expect(await isSigned('no key')).toBe(false);
  });

  it('is found where cosign save has put it, which gives no tag', async () => {
    addSignature(layout, TRIAGE, release, { annotations: { kind: 'dev.cosignproject.cosign/sigs' } });
    expect(await isSigned(release.key)).toBe(true);
  });

  it('is brought into a layout that has the package already, where one of the keys has made it', async () => {
    const to = join(scratch, `${count}-imported`);
    await importPackage(layout, to, TRIAGE);
    addSignature(layout, TRIAGE, release);
    addSignature(layout, TRIAGE, newSigner());
    await importSignatures(layout, to, TRIAGE, [audit.key]);
    expect(await isSigned(release.key, to)).toBe(false);
    await importSignatures(layout, to, TRIAGE, [audit.key, release.key]);
    expect(await isSigned(release.key, to)).toBe(true);
    const before = readFileSync(join(to, 'index.json'), 'utf8');
    await importSignatures(layout, to, TRIAGE, [release.key]);
    expect(readFileSync(join(to, 'index.json'), 'utf8')).toBe(before);
    expect(JSON.parse(before)).toMatchObject({ manifests: { length: 2 } });
  });

  it('HOLE: brings nothing else of its entry along, which could make the index too large to read', async () => {
    const to = join(scratch, `${count}-imported`);
    await importPackage(layout, to, TRIAGE);
    const tag = `${TRIAGE.replace(':', '-')}.sig`;
    const annotations = { 'org.opencontainers.image.ref.name': tag, pad: 'x'.repeat(1_000_000) };
    addSignature(layout, TRIAGE, release, { annotations });
    await importSignatures(layout, to, TRIAGE, [release.key]);
    expect(readFileSync(join(to, 'index.json'), 'utf8')).not.toContain('pad');
    expect(await isSigned(release.key, to)).toBe(true);
  });

  it('HOLE: is brought without what stands around it, which could leave no room for another one', async () => {
    const to = join(scratch, `${count}-imported`);
    await importPackage(layout, to, TRIAGE);
    const keys = [release.key, audit.key];
    // Whoever has seen a signature can write it down again in any number of manifests, among any others.
    const signature = release.sign(Buffer.from(simpleSigning(TRIAGE))).toString('base64');
    const junk = signatureLayer(layout, TRIAGE, newSigner());
    for (let i = 0; i < 30; i++)
      addSignature(layout, TRIAGE, release, { signature, before: Array.from({ length: i }, () => junk) });
    await importSignatures(layout, to, TRIAGE, keys);
    expect(JSON.parse(readFileSync(join(to, 'index.json'), 'utf8'))).toMatchObject({
      manifests: { length: 2 },
    });
    const later = join(scratch, `${count}-later`);
    cpSync(EXAMPLE, later, { recursive: true });
    addSignature(later, TRIAGE, audit);
    await importSignatures(later, to, TRIAGE, keys);
    expect(await isSigned(audit.key, to)).toBe(true);
    expect(await isSigned(release.key, to)).toBe(true);
  });

  it('HOLE: is brought for each package of a manifest that holds signatures of two', async () => {
    const to = join(scratch, `${count}-imported`);
    const tag = (name: string) => `${name.replace(':', '-')}.sig`;
    const kind = { kind: 'dev.cosignproject.cosign/sigs' };
    addSignature(layout, TRIAGE, release, {
      before: [signatureLayer(layout, ASSISTANT, release)],
      annotations: kind,
    });
    for (const one of [TRIAGE, ASSISTANT]) {
      await importPackage(layout, to, one);
      await importSignatures(layout, to, one, [release.key]);
      expect(readFileSync(join(to, 'index.json'), 'utf8')).toContain(tag(one));
      expect((await openOciLayout([to]).resolve(one))?.isSignedBy(release.key), one).toBe(true);
    }
  });

  it('that is too large to be one is nobody’s, and stops nothing', async () => {
    const note = { critical: {}, optional: { note: 'x'.repeat(5_000) } };
    addSignature(layout, TRIAGE, release, { payload: JSON.stringify(note) });
    addSignature(layout, TRIAGE, audit);
    expect(await isSigned(release.key)).toBe(false);
    expect(await isSigned(audit.key)).toBe(true);
  });

  it('HOLE: is found behind more saved signatures of other packages than a layout of their number would show', async () => {
    const annotations = { kind: 'dev.cosignproject.cosign/sigs' };
    for (let i = 0; i < 70; i++)
      addSignature(layout, ASSISTANT, audit, { annotations, payload: simpleSigning(ASSISTANT, `kind ${i}`) });
    addSignature(layout, TRIAGE, release, { annotations });
    expect(await isSigned(release.key)).toBe(true);
  });

  it('of another package vouches for nothing, whatever its tag says', async () => {
    addSignature(layout, TRIAGE, release, { payload: simpleSigning(ASSISTANT) });
    expect(await isSigned(release.key)).toBe(false);
  });

  it('of another kind of thing vouches for no package', async () => {
    addSignature(layout, TRIAGE, release, { payload: simpleSigning(TRIAGE, 'atomic container signature') });
    expect(await isSigned(release.key)).toBe(false);
  });

  it('that was taken from other bytes does not hold', async () => {
    const other = release.sign(Buffer.from(simpleSigning(ASSISTANT))).toString('base64');
    addSignature(layout, TRIAGE, release, { signature: other });
    expect(await isSigned(release.key)).toBe(false);
  });

  it.each([
    ['is no base64', { signature: 'not-base64!' }],
    ['is empty', { signature: '' }],
    ['stands over no JSON', { payload: '{' }],
    ['stands over a list', { payload: '[]' }],
    ['stands over a text without an image', { payload: '{"critical":{}}' }],
    ['stands over a digest in other letters', { payload: simpleSigning(TRIAGE.toUpperCase()) }],
    ['belongs to another tag', { annotations: { 'org.opencontainers.image.ref.name': 'latest' } }],
  ])('that %s is nobody’s, and the package as good as without', async (_what, signing) => {
    addSignature(layout, TRIAGE, release, signing);
    expect(await isSigned(release.key)).toBe(false);
    addSignature(layout, TRIAGE, audit);
    expect(await isSigned(audit.key)).toBe(true);
  });

  it('whose signed text was changed on disk stops the package', async () => {
    const signed = addSignature(layout, TRIAGE, release);
    const path = join(layout, 'blobs', 'sha256', signed.replace('sha256:', ''));
    writeFileSync(path, simpleSigning(ASSISTANT));
    await expect(isSigned(release.key)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
  });
});
