import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../canonical-json.js';
import type { Json } from '../../json.js';
import { isSettled, NO_CEILING } from './ceiling.js';
import { parseCeilingSpec } from './spec.js';
import { composeCeilings } from './meet.js';
import type { Ceiling, CeilingLayer } from './ceiling.js';
import { layerStacks, type LayerStacks } from './layer-stack.js';
import { sha256Hex } from '../rbac/model.js';

let hashed = 0;
const hashOf = (ceiling: Ceiling) => {
  hashed += 1;
  return sha256Hex(canonicalJson(ceiling));
};
const spec = (timeoutMs: number) => parseCeilingSpec({ limits: { timeoutMs } }, 'test');
const loaded = (layer: CeilingLayer['layer'], name: string, timeoutMs: number) => {
  const ceiling = spec(timeoutMs);
  return { layer, name, spec: ceiling, hash: sha256Hex(canonicalJson(ceiling)) };
};
const step = (ceiling: Ceiling | null): CeilingLayer => ({ layer: 'step', name: 's', spec: ceiling });

let stacks: LayerStacks;
beforeAll(() => {
  stacks = layerStacks(
    [loaded('org', 'a', 100), loaded('org', 'b', 90), loaded('tenant', 'bank', 50)],
    hashOf,
  );
});

describe('the layers of a directory', () => {
  it('hold for every domain, a tenant layer for its own, and what is absent is told', () => {
    const names = (domain: string) => stacks.own(domain).map(({ layer, name }) => `${layer} ${name}`);
    expect(names('bank')).toEqual(['org a', 'org b', 'environment ', 'tenant bank']);
    expect(names('shop')).toEqual(['org a', 'org b', 'environment ', 'tenant ']);
    expect(names('__proto__')).toEqual(names('shop'));
    expect(stacks.own('shop').map((one) => one.spec === null)).toEqual([false, false, true, true]);
  });
});

describe('the meet of layers', () => {
  it('is what composing gives, with the hash of it', () => {
    const layers = [...stacks.own('bank'), step(spec(20)), step(null)];
    const { ceiling, hash } = stacks.compose(layers);
    expect(ceiling).toEqual(composeCeilings(layers));
    expect(hash).toBe(sha256Hex(canonicalJson(ceiling)));
    expect(stacks.compose([])).toEqual({ ceiling: NO_CEILING, hash: stacks.hash(NO_CEILING) });
  });

  it('is made once for the same ceilings, whatever the layers are called', () => {
    const own = spec(30);
    const before = stacks.compose([...stacks.own('bank'), step(own)]);
    const count = hashed;
    const again = stacks.compose([...stacks.own('bank'), { layer: 'step', name: 'other', spec: own }]);
    expect(again).toBe(before);
    expect(hashed).toBe(count);
    expect(stacks.compose([...stacks.own('shop'), step(own)])).not.toBe(before);
  });

  it('is never remembered for a ceiling that somebody could change', () => {
    const open = { ...(JSON.parse(JSON.stringify(spec(30))) as Json as unknown as Ceiling) };
    expect(isSettled(open)).toBe(false);
    const before = stacks.compose([step(open)]);
    Object.assign(open, { limits: { timeoutMs: 10 } });
    expect(stacks.compose([step(open)]).ceiling.limits).toEqual({ timeoutMs: 10 });
    expect(before.ceiling.limits).toEqual({ timeoutMs: 30 });
    expect(stacks.hash(open)).toBe(sha256Hex(canonicalJson(open)));
  });

  it('stands on ceilings that can not be changed: they are frozen all the way down', () => {
    const ceiling = parseCeilingSpec(
      {
        functions: { allow: ['a'] },
        approval: { rules: [{ match: {}, minimum: 'sync' }] },
        budget: { calls: 1 },
      },
      'test',
    );
    expect(isSettled(ceiling)).toBe(true);
    const inside: unknown[] = [ceiling];
    for (const value of inside) {
      expect(Object.isFrozen(value)).toBe(true);
      for (const child of Object.values(value as object)) {
        if (typeof child === 'object' && child !== null) inside.push(child);
      }
    }
    expect(inside.length).toBeGreaterThan(20);
  });
});
