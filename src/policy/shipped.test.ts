import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import canonicalize from 'canonicalize';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPolicyDirectory } from '../adapters/policy-directory.js';
import type { Json } from '../json.js';
import { buildSnapshot, checkAccess, decide, MODEL_TEXT } from './index.js';
import type { DecisionRequest, PolicySnapshot } from './index.js';

const directory = fileURLToPath(new URL('../../policies', import.meta.url));
const digest = `sha256:${'a'.repeat(64)}`;
const triage = `ghcr.io/bank/claims-triage@${digest}`;
const review = `ghcr.io/bank/human-review-assistant@${digest}`;
const foreign = `ghcr.io/other/agent@${digest}`;

let snapshot: PolicySnapshot;
beforeAll(async () => {
  const files = await readPolicyDirectory(directory);
  snapshot = await buildSnapshot({ files, canonicalize: (value: Json) => canonicalize(value) ?? '' });
});

const questions: readonly (readonly [action: string, resource: string, allowed: readonly string[]])[] = [
  ['workflow.run', 'claims-review-flow', ['user:alice']],
  ['workflow.run', 'claims-review', ['user:alice']],
  ['workflow.run', 'payments', []],
  ['run.cancel', 'claims-review', ['user:alice', 'user:olivia']],
  ['run.resume', 'claims-review', ['user:alice', 'user:olivia']],
  ['run.cancel', 'payments', ['user:olivia']],
  ['run.resume', 'payments', ['user:olivia']],
  [
    'agent.invoke',
    triage,
    ['user:alice', 'agent:claims-triage', 'agent:human-review-assistant', 'agent:approval-agent'],
  ],
  ['agent.invoke', foreign, []],
  [
    'function.invoke',
    'tool::wasm',
    ['user:alice', 'agent:claims-triage', 'agent:human-review-assistant', 'agent:approval-agent'],
  ],
  ['function.invoke', 'human::form', ['user:alice']],
  ['task.answer', 'human::form', ['user:bob', 'user:carol']],
  ['function.invoke', 'tool::shell_exec', []],
  ['function.invoke', 'tool::raw_shell', []],
  ['approval.decide', review, ['user:bob', 'user:carol']],
  ['approval.decide', triage, []],
  ['approval.decide', 'tool::wasm', ['user:bob', 'user:carol', 'user:olivia']],
  ['approval.breakglass', review, []],
  ['audit.read', '*', ['user:audrey']],
  ['audit.read', 'run_1', ['user:audrey']],
  ['audit.export', '*', ['user:audrey']],
  ['audit.export', 'run_1', ['user:audrey']],
  ['audit.erase', '*', ['user:ada']],
  ['audit.erase', 'run_1', ['user:ada']],
  ['function.invoke', 'audit::erase', ['user:ada']],
  ['approval.decide', 'audit::erase', ['user:bob', 'user:carol']],
  ['run.cancel', 'writ-audit-erase', ['user:olivia', 'user:ada']],
  ['run.resume', 'writ-audit-erase', ['user:olivia', 'user:ada']],
  ['policy.edit', 'retention', ['user:ada']],
  ['policy.read', 'user:bob', []],
  ['audit.rotate_key', '*', ['user:ada']],
  ['policy.edit', 'rbac/claims.yaml', ['user:ada']],
  ['policy.reload', 'rbac/claims.yaml', ['user:ada']],
  ['network.egress', 'api.bank.example:443', []],
  ['secret.use', 'claims-db', []],
  ['filesystem.read', '/data', []],
  ['filesystem.write', '/data', []],
];
const principals = [
  ...['user:alice', 'user:bob', 'user:carol', 'user:olivia', 'user:audrey', 'user:ada'],
  ...['agent:claims-triage', 'agent:human-review-assistant', 'agent:approval-agent'],
  ...['user:mallory', 'agent:unknown', 'service:cron', 'role:admin'],
];

describe('the shipped policies', () => {
  it('carry the frozen model byte for byte', async () => {
    expect((await readPolicyDirectory(directory)).get('model.conf')).toBe(MODEL_TEXT);
  });

  for (const [action, resource, allowed] of questions) {
    for (const subject of principals) {
      const verdict = allowed.includes(subject);
      it(`${verdict ? 'allow' : 'deny'} ${subject} ${action} ${resource.slice(0, 48)}`, () => {
        const answer = checkAccess(snapshot, { subject, domain: 'default', action, resource });
        expect(answer.allowed).toBe(verdict);
        expect(answer.ruleId !== null).toBe(verdict || answer.effect === 'deny');
      });
    }
  }

  it('deny everything in a domain nobody defined', () => {
    for (const [action, resource] of questions) {
      const answer = checkAccess(snapshot, { subject: 'user:alice', domain: 'bank', action, resource });
      expect(answer.allowed).toBe(false);
    }
  });

  const agentStep = (name: string): DecisionRequest => ({
    nowMs: 1_800_000_000_000,
    initiator: 'user:alice',
    agent: `agent:${name}`,
    domain: 'default',
    action: 'agent.invoke',
    resource: `ghcr.io/bank/${name}@${digest}`,
    layers: [{ layer: 'workflow', name: 'claims-review-flow', spec: null }],
    facts: {
      functionId: `ghcr.io/bank/${name}@${digest}`,
      agentName: `ghcr.io/bank/${name}`,
      agentDigest: digest,
      sandbox: 'wasm',
      network: [],
      mounts: [],
      credentials: [],
      limits: { timeoutMs: 120_000 },
      labels: [],
    },
    approval: null,
  });

  it('let an adjuster run triage without a person', () => {
    const decision = decide(snapshot, agentStep('claims-triage'));
    expect(decision).toMatchObject({ verdict: 'allow', code: null, demandedBy: [] });
    expect(decision.rbac).toEqual([
      {
        subject: 'user:alice',
        ruleId: 'CL-010',
        effect: 'allow',
        rolePath: ['user:alice', 'role:adjuster'],
      },
      {
        subject: 'agent:claims-triage',
        ruleId: 'CL-011',
        effect: 'allow',
        rolePath: ['agent:claims-triage', 'role:claims-agent'],
      },
    ]);
    expect(decision.ceiling.map(({ layer, ok, hash }) => [layer, ok, hash !== null])).toEqual([
      ['org', true, true],
      ['environment', true, false],
      ['tenant', true, false],
      ['workflow', true, false],
    ]);
    expect(decision.effective.limits).toEqual({ timeoutMs: 120_000, memoryMiB: 256, outputBytes: 1_048_576 });
  });

  it('ask a reviewer, not the initiator, before a human review', () => {
    const decision = decide(snapshot, agentStep('human-review-assistant'));
    expect(decision.verdict).toBe('needs_approval');
    expect(decision.effective.approval).toEqual({
      mode: 'sync',
      quorum: [{ role: 'role:reviewer', n: 1 }],
      separationOfDuties: true,
      expiresSeconds: 86_400,
      reasonRequired: false,
    });
    expect(decision.demandedBy).toEqual([
      'ceiling org-default (org): agents ghcr.io/bank/human-review-assistant* needs sync approval by role:reviewer',
    ]);
  });

  it('ask two reviewers before anything is erased, though it runs in no sandbox', () => {
    const step = agentStep('claims-triage');
    const erase = {
      ...step,
      initiator: 'user:ada',
      agent: null,
      action: 'function.invoke',
      resource: 'audit::erase',
      facts: { ...step.facts, functionId: 'audit::erase', agentName: null, agentDigest: null, sandbox: null },
    };
    const decision = decide(snapshot, erase);
    expect(decision).toMatchObject({ verdict: 'needs_approval', code: null });
    expect(decision.effective.approval).toMatchObject({
      mode: 'two-person',
      quorum: [{ role: 'role:reviewer', n: 2 }],
      separationOfDuties: true,
    });
    expect(decide(snapshot, { ...erase, initiator: 'user:audrey' }).verdict).toBe('deny');
  });

  it('refuse network, an agent of somebody else, and a limit above the ceiling', () => {
    const step = agentStep('claims-triage');
    const withFacts = (facts: Partial<DecisionRequest['facts']>) =>
      decide(snapshot, { ...step, facts: { ...step.facts, ...facts } });
    expect(withFacts({ network: ['api.bank.example:443'] }).code).toBe('CEILING_NETWORK');
    expect(withFacts({ limits: { timeoutMs: 300_001 } }).code).toBe('CEILING_LIMITS');
    expect(withFacts({ limits: { timeoutMs: 300_000 } }).verdict).toBe('allow');
    expect(decide(snapshot, { ...step, agent: 'agent:unknown' }).code).toBe('POLICY_NO_MATCH');
  });
});

describe('the table of policies/README.md', () => {
  const lines = readFileSync(`${directory}/README.md`, 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith('| action on resource'));
  const rows = lines.slice(start + 2, lines.indexOf('', start)).map((line) => line.split('|').slice(1, -1));
  const people = [
    ...['user:alice', 'user:bob', 'user:olivia', 'user:audrey', 'user:ada', 'agent:claims-triage'],
  ] as const;
  const examples: Readonly<Record<string, string>> = {
    'claims-*': 'claims-review',
    'ghcr.io/bank/*': triage,
    'ghcr.io/bank/human-review-assistant*': review,
    'tool::raw_*': 'tool::raw_shell',
  };

  /** Actions and resources of a first cell: "`a`, `b` on `c`; `d` on `e`: words". */
  function asked(cell: string): readonly (readonly [action: string, resource: string])[] {
    return cell.split(';').flatMap((part) => {
      const [actions = '', on = ''] = part.split(' on ');
      const named = /`([^`]+)`/.exec(on)?.[1];
      const resource =
        named === undefined ? (on === '' ? 'user:bob' : 'payments') : (examples[named] ?? named);
      const words = [...(actions.split(':')[0] ?? '').matchAll(/`([^`]+)`/g)];
      return words.map(([, action = '']) => [action, resource] as const);
    });
  }

  it('says of every cell what the policies say', () => {
    let cells = 0;
    for (const [first = '', ...verdicts] of rows) {
      for (const [action, resource] of asked(first)) {
        for (const [column, subject] of people.entries()) {
          const { allowed, effect } = checkAccess(snapshot, { subject, domain: 'default', action, resource });
          const told = allowed ? 'yes' : effect === 'deny' ? 'denied' : '-';
          expect(`${first.trim()} ${subject}: ${verdicts[column]?.trim()}`).toBe(
            `${first.trim()} ${subject}: ${told}`,
          );
          cells += 1;
        }
      }
    }
    expect(rows).toHaveLength(19);
    expect(cells).toBe(25 * 6);
  });
});
