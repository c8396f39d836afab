// The memory of decisions: the same answer for the same question, and never an answer of another time or other policies.
import { beforeAll, describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import { canonicalJson } from '../../canonical-json.js';
import type { Json } from '../../json.js';
import { decideOnce } from './decide-once.js';
import type { CeilingLayer, DecisionRequest, PolicySnapshot } from '../index.js';
import { buildSnapshot, decide, MODEL_TEXT, parseCeilingSpec } from '../index.js';

const RULE = (effect: string) => `apiVersion: writ/v1
kind: Rules
rules: [{ id: R-1, effect: ${effect}, subject: "role:all", domain: bank, action: function.invoke, resource: "tool::*" }]
`;
const ceiling = (spec: string) =>
  `apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: org-test, layer: org }\nspec: ${spec}\n`;
const UNTIL = Date.UTC(2040, 0, 2);

async function policies(change: Readonly<Record<string, string>> = {}): Promise<PolicySnapshot> {
  const files = {
    'model.conf': MODEL_TEXT,
    'rbac/r.yaml': RULE('allow'),
    'roles/bank.yaml':
      'apiVersion: writ/v1\nkind: Roles\ndomain: bank\nmembers: { "role:all": ["user:alice", "user:bob"], "role:reviewer": ["user:bob"] }\n',
    'ceilings/org.yaml': ceiling('{ limits: { timeoutMs: 1000 } }'),
    'approvers.yaml':
      'apiVersion: writ/v1\nkind: Approvers\npeople: [{ id: "user:alice", keys: [] }, { id: "user:bob", keys: [] }]\n',
    ...change,
  };
  return buildSnapshot({
    files: new Map(Object.entries(files)),
    canonicalize: (value: Json) => canonicalJson(value),
  });
}

const own: CeilingLayer = {
  layer: 'step',
  name: 's',
  spec: parseCeilingSpec({ limits: { timeoutMs: 500 } }, 's'),
};
const question = (change: Partial<DecisionRequest> = {}): DecisionRequest => ({
  nowMs: UNTIL - 1,
  initiator: 'user:alice',
  agent: null,
  domain: 'bank',
  action: 'function.invoke',
  resource: 'tool::one',
  layers: LAYERS,
  facts: plainFacts('tool::one'),
  approval: null,
  ...change,
});
const LAYERS: readonly CeilingLayer[] = [own];

let snapshot: PolicySnapshot;
beforeAll(async () => {
  snapshot = await policies();
  decideOnce(snapshot, question());
});

describe('a question that is asked again', () => {
  it('has the answer that was given, as the same object, whatever the time', () => {
    const first = decideOnce(snapshot, question());
    expect(first).toEqual(decide(snapshot, question()));
    expect(first.verdict).toBe('allow');
    expect(decideOnce(snapshot, question({ nowMs: UNTIL + 5 }))).toBe(first);
  });

  it('is another one where anything of it differs', () => {
    const first = decideOnce(snapshot, question());
    const { facts } = question();
    const others: Partial<DecisionRequest>[] = [
      { initiator: 'user:eve' },
      { agent: 'agent:x' },
      { domain: 'other' },
      { action: 'agent.invoke' },
      { resource: 'shop::one' },
      { facts: { ...facts, limits: { timeoutMs: 2000 } } },
      { facts: { ...facts, network: ['api.example:443'] } },
      { layers: [{ ...own, spec: parseCeilingSpec({ functions: { allow: [] } }, 's') }] },
    ];
    for (const change of others) {
      const decision = decideOnce(snapshot, question(change));
      expect(decision).not.toBe(first);
      expect(decision).toEqual(decide(snapshot, question(change)));
      expect(decideOnce(snapshot, question())).toEqual(first);
    }
  });

  it('is another one when a list of it has changed since it was asked', () => {
    const network: string[] = [];
    const asked = question();
    const changing = { ...asked, facts: { ...asked.facts, network } };
    const first = decideOnce(snapshot, changing);
    expect(decideOnce(snapshot, changing)).toBe(first);
    network.push('api.example:443');
    expect(decideOnce(snapshot, changing)).not.toBe(first);
    expect(decideOnce(snapshot, question())).toEqual(first);
  });

  it('is another one where something was left out, or is no plain value', () => {
    const first = decideOnce(snapshot, question());
    const { facts } = question();
    const { agentName: _, ...without } = facts;
    const list = Object.assign(Object.create(Array.prototype), { length: 0 }) as string[];
    for (const strange of [without, { ...facts, network: list }, { ...facts, agentName: undefined }])
      expect(decideOnce(snapshot, question({ facts: strange as typeof facts }))).not.toBe(first);
    expect(decideOnce(snapshot, question())).toEqual(first);
  });

  it('is decided anew by other policies', async () => {
    expect(decideOnce(snapshot, question()).verdict).toBe('allow');
    const denying = await policies({ 'rbac/r.yaml': RULE('deny') });
    expect(decideOnce(denying, question()).verdict).toBe('deny');
    expect(decideOnce(snapshot, question()).verdict).toBe('allow');
  });

  it('is decided anew while a ceiling holds for a time: at its end the answer changes', async () => {
    const org = ceiling('{ validity: { notAfter: "2040-01-02T00:00:00Z" } }');
    const ending = await policies({ 'ceilings/org.yaml': org });
    for (const _ of [1, 2, 3])
      expect(decideOnce(ending, question({ nowMs: UNTIL - 1 })).verdict).toBe('allow');
    expect(decideOnce(ending, question({ nowMs: UNTIL })).verdict).toBe('deny');
    const spec = parseCeilingSpec({ validity: { notAfter: '2040-01-02T00:00:00Z' } }, 's');
    const layers = [{ ...own, spec }];
    for (const _ of [1, 2, 3]) expect(decideOnce(snapshot, question({ layers })).verdict).toBe('allow');
    expect(decideOnce(snapshot, question({ layers, nowMs: UNTIL })).verdict).toBe('deny');
  });

  it('is refused, and not remembered, where it is no question', () => {
    const first = decideOnce(snapshot, question());
    const { facts } = question();
    const limits = { timeoutMs: Number.NaN };
    expect(decideOnce(snapshot, question({ facts: { ...facts, limits } })).verdict).toBe('deny');
    expect(decideOnce(snapshot, question({ nowMs: Number.NaN })).verdict).toBe('deny');
    expect(decideOnce(snapshot, question({ nowMs: -1 })).verdict).toBe('deny');
    expect(decideOnce(snapshot, null as unknown as DecisionRequest).verdict).toBe('deny');
    expect(decideOnce(snapshot, question())).toBe(first);
  });
});
