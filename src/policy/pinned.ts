// What holds for a run that began under other policies than are in force now: both. A reload can only tighten what its
// steps may still do; it never hands a run something that it could not do when it was started.
import { composeCeilings } from './ceiling/meet.js';
import type { CeilingLayer } from './ceiling/ceiling.js';
import type { Judge } from './rbac/enforcer.js';
import type { PolicySnapshot } from './snapshot.js';

const made = new WeakMap<PolicySnapshot, WeakMap<PolicySnapshot, PolicySnapshot>>();

/**
 * A snapshot that allows what both allow: RBAC of each, and the meet of their ceilings. Approvers, hashes and everything
 * else are those in force now, so that an approval binds to the policies of today. The same object for the same two.
 */
export function tightened(now: PolicySnapshot, atStart: PolicySnapshot): PolicySnapshot {
  if (now.policyHash === atStart.policyHash) return now;
  const known = made.get(now)?.get(atStart);
  if (known !== undefined) return known;
  const both = meetOf(now, atStart);
  const ofNow = made.get(now) ?? new WeakMap<PolicySnapshot, PolicySnapshot>();
  ofNow.set(atStart, both);
  made.set(now, ofNow);
  return both;
}

function meetOf(now: PolicySnapshot, atStart: PolicySnapshot): PolicySnapshot {
  const judge: Judge = (...question) => {
    const answer = now.judge(...question);
    if (!answer.allowed) return answer;
    const before = atStart.judge(...question);
    return before.allowed ? answer : before;
  };
  const own = new Map<string, readonly CeilingLayer[]>();
  const layersOf = (domain: string): readonly CeilingLayer[] => {
    const layers = own.get(domain) ?? mergedLayers(now.layers.own(domain), atStart.layers.own(domain));
    // Domains are those of the files; a name that none of them knows is not remembered.
    if (now.domains.has(domain)) own.set(domain, layers);
    return layers;
  };
  return Object.freeze<PolicySnapshot>({
    ...now,
    // A standing approval that came later is none for what began before.
    grants: now.grants.filter((one) =>
      atStart.grants.some((old) => JSON.stringify(old) === JSON.stringify(one)),
    ),
    // Who signs now and did not then, or by another key, vouches for nothing that began before.
    packageSigners: now.packageSigners.filter(({ name, key }) =>
      atStart.packageSigners.some((old) => old.name === name && old.key === key),
    ),
    // Nor is one for somebody who has the role only since.
    grantRolesOf: (subject, domain) => {
      const before = atStart.grantRolesOf(subject, domain);
      return new Set([...now.grantRolesOf(subject, domain)].filter((role) => before.has(role)));
    },
    // A rule that denied then and is gone now still has to be named.
    ruleById: (id) => now.ruleById(id) ?? atStart.ruleById(id),
    layers: { ...now.layers, own: layersOf },
    judge,
  });
}

/** Layers of one name become one, so that its budgets are charged once: by the smaller bounds. */
function mergedLayers(
  now: readonly CeilingLayer[],
  before: readonly CeilingLayer[],
): readonly CeilingLayer[] {
  const isSame = (a: CeilingLayer, b: CeilingLayer) => a.layer === b.layer && a.name === b.name;
  const merged = now.map((layer): CeilingLayer => {
    const earlier = before.find((one) => isSame(one, layer));
    if (earlier === undefined || earlier.spec === null || layer.spec === null) return layer;
    return { ...layer, spec: composeCeilings([layer, earlier]) };
  });
  const gone = before.filter((one) => one.spec !== null && !now.some((layer) => isSame(layer, one)));
  return [...merged, ...gone];
}
