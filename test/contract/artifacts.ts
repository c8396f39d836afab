// The contract of every Artifacts: bytes come back as they were or not at all, a name refers to what was put under it
// last, and no name leads anywhere else.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/json.js';
import { artifactNameProblem, MAX_ARTIFACT_BYTES, type Artifacts } from '../../src/runtime/ports.js';

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes);

/** Each is refused before anything is touched. */
export const HOSTILE_NAMES: readonly string[] = [
  '',
  'claims',
  '/etc/passwd',
  '//claims/a',
  '../claims/a',
  '..',
  './a',
  'claims/',
  'claims/..',
  'claims/../other/a',
  'claims/a/../../../etc/passwd',
  'claims/./a',
  'claims//a',
  'claims/a/',
  'claims\\..\\a/b',
  'claims/a\\..\\b',
  'claims/a\0b',
  'claims/a\nb',
  'claims/\u001b[2J',
  'claims/a\u202egpj',
  'claims/\ud800',
  'cl aims/a',
  'cl:aims/a',
  `${'b'.repeat(64)}/a`,
  `claims/${'k'.repeat(1025)}`,
  `claims/${'é'.repeat(513)}`,
  `claims/${'k'.repeat(10_000)}`,
  'k'.repeat(10_000),
];

/** Nobody knows what it carries. */
export const UNSAID = { labels: null, classification: null };

export function artifactsContract(name: string, make: () => Promise<Artifacts>): void {
  describe(`artifacts contract: ${name}`, () => {
    it('gives back the very bytes, by the SHA-256 that put says', async () => {
      const store = await make();
      const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
      const digest = await store.put(bytes, null, UNSAID);
      expect(digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
      expect(store.digestOf(bytes)).toBe(digest);
      expect(Buffer.from((await store.read(digest)) ?? []).equals(bytes)).toBe(true);
    });

    it('keeps all that is said of the same bytes, and nothing of others', async () => {
      const store = await make();
      const bytes = bytesOf('x');
      const digest = await store.put(bytes, null, { labels: ['pii'], classification: 'internal' });
      expect(await store.dataOf(digest)).toEqual([{ labels: ['pii'], classification: 'internal' }]);
      await store.put(bytes, 'claims/a', { labels: [], classification: null });
      await store.put(bytes, 'claims/a', { labels: [], classification: null });
      await store.put(bytes, null, UNSAID);
      const said = await store.dataOf(digest);
      expect(said).toHaveLength(3);
      expect(said).toContainEqual({ labels: ['pii'], classification: 'internal' });
      expect(said).toContainEqual({ labels: [], classification: null });
      expect(said).toContainEqual(UNSAID);
      expect(await store.dataOf(store.digestOf(bytesOf('y')))).toEqual([]);
    });

    it('keeps nothing at all as well as something', async () => {
      const store = await make();
      const digest = await store.put(new Uint8Array(), 'claims/empty', UNSAID);
      expect(await store.find('claims/empty')).toEqual({ name: 'claims/empty', digest, size: 0 });
      expect((await store.read(digest))?.length).toBe(0);
    });

    it('has neither bytes nor name that nobody put there', async () => {
      const store = await make();
      expect(await store.read(`sha256:${'0'.repeat(64)}` as Digest)).toBeNull();
      expect(await store.find('claims/none')).toBeNull();
      expect(await store.list('', 10)).toEqual([]);
      expect(await store.list('claims/', 10)).toEqual([]);
    });

    it('lets a name refer to what was put last, and keeps what it referred to before', async () => {
      const store = await make();
      const first = await store.put(bytesOf('one'), 'claims/a', UNSAID);
      const second = await store.put(bytesOf('other'), 'claims/a', UNSAID);
      expect(await store.find('claims/a')).toEqual({ name: 'claims/a', digest: second, size: 5 });
      expect(textOf(await store.read(first))).toBe('one');
    });

    it('puts the same twice as once', async () => {
      const store = await make();
      const digests = [
        await store.put(bytesOf('x'), 'claims/a', UNSAID),
        await store.put(bytesOf('x'), 'claims/a', UNSAID),
      ];
      expect(new Set(digests).size).toBe(1);
      expect((await store.list('claims/', 10)).length).toBe(1);
    });

    it('removes bytes with the names that are given, and not while another name refers to them', async () => {
      const store = await make();
      const digest = await store.put(bytesOf('x'), 'claims/a', UNSAID);
      await store.put(bytesOf('x'), 'claims/b', UNSAID);
      expect(await store.has(digest)).toBe(true);
      expect(await store.remove(digest, ['claims/a'])).toBe(false);
      expect(await store.find('claims/a')).toBeNull();
      expect(textOf(await store.read(digest))).toBe('x');
      expect(await store.remove(digest, ['claims/b'])).toBe(true);
      expect([await store.has(digest), await store.read(digest), await store.list('', 10)]).toEqual([
        ...[false, null, []],
      ]);
      // Twice is once, and so is what was never there.
      expect(await store.remove(digest, ['claims/b', 'claims/none'])).toBe(true);
      expect(await store.put(bytesOf('x'), 'claims/b', UNSAID)).toBe(digest);
      expect(textOf(await store.read(digest))).toBe('x');
    });

    it('removes no name that refers to other bytes by now', async () => {
      const store = await make();
      const first = await store.put(bytesOf('one'), 'claims/a', UNSAID);
      const second = await store.put(bytesOf('other'), 'claims/a', UNSAID);
      expect(await store.remove(first, ['claims/a'])).toBe(true);
      expect((await store.find('claims/a'))?.digest).toBe(second);
      expect([await store.has(first), await store.has(second)]).toEqual([false, true]);
    });

    it('has the bytes of every name, whoever puts and removes the same at once', async () => {
      const store = await make();
      const digest = store.digestOf(bytesOf('same'));
      for (let round = 0; round < 20; round += 1) {
        await store.put(bytesOf('same'), 'claims/old', UNSAID);
        await Promise.all([
          store.put(bytesOf('same'), `claims/${round}`, UNSAID),
          store.remove(digest, ['claims/old']),
          store.remove(digest, []),
        ]);
        expect(textOf(await store.read(digest))).toBe('same');
        await store.remove(digest, [`claims/${round}`]);
      }
    });

    it('takes puts at the same time, of the same bytes and the same name too', async () => {
      const store = await make();
      const texts = Array.from({ length: 20 }, (_, at) => `${at % 5}`);
      await Promise.all(texts.map((text) => store.put(bytesOf(text), `claims/${text}`, UNSAID)));
      const found = await store.list('claims/', 100);
      expect(found.map((one) => one.name)).toEqual([0, 1, 2, 3, 4].map((at) => `claims/${at}`));
      for (const { name, digest } of found) expect(`claims/${textOf(await store.read(digest))}`).toBe(name);
    });

    it('lists by beginning, in order, one bucket or all, and no more than it is asked for', async () => {
      const store = await make();
      for (const name of ['b/z', 'b/a/2', 'b/a/10', 'bb/a', 'B/a/1', 'b/a'])
        await store.put(bytesOf(name), name, UNSAID);
      const names = async (prefix: string, limit = 100): Promise<string[]> =>
        (await store.list(prefix, limit)).map((one) => one.name);
      expect(await names('')).toEqual(['B/a/1', 'b/a', 'b/a/10', 'b/a/2', 'b/z', 'bb/a']);
      expect(await names('b/')).toEqual(['b/a', 'b/a/10', 'b/a/2', 'b/z']);
      expect(await names('b/a/')).toEqual(['b/a/10', 'b/a/2']);
      expect(await names('b/', 1)).toEqual(['b/a']);
      expect(await names('c/')).toEqual([]);
    });

    it.each(HOSTILE_NAMES)('refuses the name %j', async (hostile) => {
      const store = await make();
      expect(artifactNameProblem(hostile)).not.toBeNull();
      await expect(store.put(bytesOf('x'), hostile, UNSAID)).rejects.toMatchObject({ code: 'USAGE' });
      await expect(store.find(hostile)).rejects.toMatchObject({ code: 'USAGE' });
      expect(await store.list('', 10)).toEqual([]);
    });

    it.each([
      'claims/ä ö/x.csv',
      'claims/...',
      'claims/.hidden',
      `claims/${'k'.repeat(1024)}`,
      'a/b',
      'c/%2e%2e/x',
    ])('takes the name %j', async (name) => {
      const store = await make();
      await store.put(bytesOf('x'), name, UNSAID);
      expect((await store.find(name))?.name).toBe(name);
    });

    it.each(['', 'latest', 'sha256:../../../etc/passwd', `sha256:${'A'.repeat(64)}`])(
      'reads nothing by %j, which is no digest',
      async (text) => {
        const store = await make();
        await expect(store.read(text as Digest)).rejects.toMatchObject({ code: 'USAGE' });
      },
    );

    it('takes as many bytes as a run holds, and not one more', async () => {
      const store = await make();
      const bytes = new Uint8Array(MAX_ARTIFACT_BYTES + 1);
      await expect(store.put(bytes, null, UNSAID)).rejects.toMatchObject({ code: 'USAGE' });
      const digest = await store.put(bytes.subarray(1), null, UNSAID);
      expect((await store.read(digest))?.length).toBe(MAX_ARTIFACT_BYTES);
    });
  });
}
