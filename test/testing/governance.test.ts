// A simulation under policies: what they deny does not begin, in the words and with the exit codes of a run.
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadPolicies } from '../../src/library/policy.js';
import type { PolicySnapshot } from '../../src/policy/index.js';
import { simulate, type Mock, type Simulated } from '../../src/testing/index.js';

const POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));
const REVIEW = `ghcr.io/bank/human-review-assistant@sha256:${'0'.repeat(64)}`;

let snapshot: PolicySnapshot;
beforeAll(async () => {
  snapshot = await loadPolicies(POLICIES);
});

const document = (states: object, name = 'claims-flow'): object => ({
  apiVersion: 'agentrc.workflow/v0.1',
  kind: 'AgentWorkflow',
  metadata: { name },
  spec: { startAt: 'S', states },
});
const task = (fields: object): object => ({ type: 'Task', end: true, ...fields });
const wasm = (fields: object = {}): object => task({ resource: 'tool::wasm', ...fields });

async function run(
  definition: object,
  S: readonly Mock[] = [{ return: 1 }],
  initiator = 'user:alice',
): Promise<Simulated> {
  return simulate(definition, { mocks: { S }, policies: { snapshot, initiator } });
}

describe('a simulation under policies', () => {
  it('runs what they allow, and asks nobody where it is given none', async () => {
    expect(await run(document({ S: wasm() }))).toMatchObject({ status: 'SUCCEEDED', output: 1 });
    const forbidden = document({ S: task({ resource: 'mcp::bank::pay' }) });
    expect(await simulate(forbidden, { mocks: { S: [{ return: 1 }] } })).toMatchObject({
      status: 'SUCCEEDED',
    });
  });

  it('does not begin for somebody who may not start the workflow', async () => {
    for (const [definition, initiator] of [
      [document({ S: wasm() }), 'user:bob'],
      [document({ S: wasm() }, 'payments'), 'user:alice'],
    ] as const) {
      const refused = await run(definition, [{ return: 1 }], initiator);
      expect(refused).toMatchObject({ status: 'FAILED', error: 'Policy.Denied', visited: [] });
      expect(refused.cause).toContain('workflow.run');
    }
  });

  it('fails a step that no rule allows, which no catch-all and no retry takes', async () => {
    const state = task({
      resource: 'tool::http_request',
      retry: [{ errorEquals: ['States.ALL'] }],
      catch: [{ errorEquals: ['States.ALL'], next: 'Sorry' }],
    });
    const result = await run(document({ S: state, Sorry: { type: 'Succeed' } }));
    expect(result).toMatchObject({ status: 'FAILED', error: 'Policy.Denied', visited: ['S'] });
    expect(result.cause).toContain('tool::http_request');
  });

  it('gives the refusal to a catcher that names it', async () => {
    const state = task({
      resource: 'tool::http_request',
      catch: [{ errorEquals: ['Policy.Denied'], next: 'Sorry' }],
    });
    const result = await run(document({ S: state, Sorry: { type: 'Pass', end: true } }));
    expect(result).toMatchObject({
      status: 'SUCCEEDED',
      visited: ['S', 'Sorry'],
      output: { Error: 'Policy.Denied' },
    });
  });

  it('fails a step that asks for more than a ceiling allows, up to its border', async () => {
    expect((await run(document({ S: wasm({ timeoutSeconds: 300 }) }))).status).toBe('SUCCEEDED');
    expect(await run(document({ S: wasm({ timeoutSeconds: 301 }) }))).toMatchObject({
      status: 'FAILED',
      error: 'Ceiling.Exceeded',
    });
  });

  it('goes through an approval that is needed, unless the mock denies it', async () => {
    const definition = document({ S: task({ agent: REVIEW }) });
    expect(await run(definition)).toMatchObject({ status: 'SUCCEEDED', output: 1 });
    expect(await run(definition, [{ approve: true, return: 2 }])).toMatchObject({ output: 2 });
    expect(await run(definition, [{ approve: false }])).toMatchObject({ error: 'Approval.Denied' });
  });

  it('judges every item and every attempt', async () => {
    const each = {
      startAt: 'S',
      states: { S: wasm({ retry: [{ errorEquals: ['Flaky'], maxAttempts: 1 }] }) },
    };
    const map = { type: 'Map', itemProcessor: each, end: true };
    const definition = { ...document({}), spec: { startAt: 'M', states: { M: map } } };
    const options = { policies: { snapshot, initiator: 'user:alice' }, input: [1, 2] };
    const flaky = { throw: { error: 'Flaky' } };
    const mocks = { S: [flaky, { return: 'a' }, { return: 'b' }] };
    expect(await simulate(definition, { ...options, mocks })).toMatchObject({ status: 'SUCCEEDED' });
    const tight = structuredClone(definition) as { spec: { states: { M: { itemProcessor: typeof each } } } };
    tight.spec.states.M.itemProcessor.states.S = wasm({ timeoutSeconds: 301 });
    const refused = await simulate(tight, { ...options, mocks });
    expect(refused).toMatchObject({ status: 'FAILED', error: 'Ceiling.Exceeded' });
  });

  it('asks the agent of a step of dialect 1 too, by the role it fills', async () => {
    const steps = (agent: string): string => `id: claims-steps
agents: [${agent}]
steps: [{name: S, functionId: 'tool::wasm', config: {module: m}}]
`;
    const mocks = { S: [{ return: 1 }] };
    const policies = { snapshot, initiator: 'user:alice' };
    expect((await simulate(steps('claims-triage'), { mocks, policies })).status).toBe('SUCCEEDED');
    expect((await simulate(steps('stranger'), { mocks, policies })).error).toBe('Policy.Denied');
    const agents = { stranger: 'claims-triage' };
    expect((await simulate(steps('stranger'), { mocks, policies: { ...policies, agents } })).status).toBe(
      'SUCCEEDED',
    );
  });
});
