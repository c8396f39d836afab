// What `writ policy check` and `explain` answer is what runs do: policies, ceilings and steps made at random, each asked
// about and then run by the real engine on a real store. Verdict, rules, layers, fields and reason agree, and nothing
// that was denied or waits has been called.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { answerOf, type PolicyAnswer } from '../../src/cli/policy/answer.js';
import { WritError } from '../../src/errors.js';
import type { Json, JsonObject } from '../../src/json.js';
import { loadPolicies, type PolicyQuestion, type PolicySnapshot } from '../../src/library/policy.js';
import type { FunctionReach } from '../../src/runtime/ports.js';
import { knownLabels } from '../../src/runtime/run/data.js';
import type { RunView, Writ } from '../../src/runtime/writ.js';
import { Draws } from '../property/ceilings.js';
import { T0, useTeam } from './fixture.js';

/** Policy directories, and steps under each. */
const POLICIES = 20;
const STEPS = 10;
/** Of these, made from known seeds. */
const KNOWN = 8;

const here = useTeam();

// --- policies -------------------------------------------------------------------------------------------------

function rulesOf(draws: Draws): JsonObject[] {
  const rule = (fields: JsonObject): JsonObject => ({
    ...{ effect: 'allow', domain: 'default', reason: 'drawn' },
    ...fields,
  });
  const drawn = Array.from({ length: draws.whole(0, 4) }, () =>
    rule({
      effect: draws.one('allow', 'allow', 'deny'),
      subject: draws.one('role:adjuster', 'role:claims-agent', 'role:any', 'user:alice', 'role:reviewer'),
      domain: draws.one('default', '*'),
      action: 'function.invoke',
      resource: draws.one('tool::test_one', 'tool::*', 'tool::test_*', 'tool::test_t?o', '*'),
    }),
  );
  const usual = ['role:adjuster', 'role:claims-agent'].flatMap((subject) =>
    draws.chance(0.95) ? [rule({ subject, action: 'function.invoke', resource: 'tool::test_*' })] : [],
  );
  const decide = draws.chance(0.8)
    ? [
        rule({
          subject: 'role:reviewer',
          action: 'approval.decide',
          resource: draws.one('*', 'tool::test_one'),
        }),
      ]
    : [];
  const start = rule({ subject: 'role:adjuster', action: 'workflow.run', resource: 'test*' });
  return [start, ...usual, ...drawn, ...decide].map((one, at) => ({ id: `D-${at}`, ...one }));
}

function specOf(draws: Draws): JsonObject {
  const some = (...all: string[]) => draws.some(...all);
  const names = (...all: string[]) =>
    draws.fields(0.5, { allow: () => draws.several('*', ...all), deny: () => some(...all.slice(1)) });
  const spec = draws.fields(0.2, {
    functions: () => names('tool::test_o*', 'tool::test_t*'),
    tools: () => names('tool::small', 'tool::b*'),
    credentials: () => ({ ...names('claims-db', 'mail*'), mode: draws.one('none', 'broker', 'inherit') }),
    network: () => ({ mode: draws.one('none', 'open'), deny: some('api.bank.example:443', '*.example:80') }),
    sandbox: () => ({ allowed: draws.one(['wasm'], ['wasm', 'docker']) }),
    limits: () =>
      draws.fields(0.7, { timeoutMs: () => draws.one(5000, 120_000, 120_000, 300_000), depth: () => 1 }),
    data: () =>
      draws.fields(0.6, {
        labelsAllowed: () => ['internal', ...some('pii', 'phi')],
        maxClassification: () => draws.one('internal', 'restricted'),
      }),
    budget: () => ({
      ...draws.fields(0.4, { calls: () => draws.one(0, 1), usd: () => draws.one('0', '0.01', '1') }),
      ...draws.fields(0.3, { perDay: () => ({ tokens: draws.one(0, 1_000_000) }) }),
    }),
    rates: () => [
      {
        match: draws.one('tool::test_one', 'tool::*'),
        count: draws.one(0, 1000, 1000, 1000),
        perSeconds: 60,
      },
    ],
    validity: () => ({
      notAfter: draws.one('2030-01-01T00:00:00Z', '2050-01-01T00:00:00Z', '2050-01-02T00:00:00Z'),
    }),
    approval: () =>
      draws.fields(0.6, {
        minimum: () => draws.one('none', 'async', 'sync'),
        rules: () => Array.from({ length: draws.whole(1, 2) }, () => approvalRuleOf(draws)),
      }),
  });
  // Alone it refuses every step of this test: rarely.
  return draws.chance(0.9)
    ? Object.fromEntries(Object.entries(spec).filter(([field]) => field !== 'sandbox'))
    : spec;
}

function approvalRuleOf(draws: Draws): JsonObject {
  return {
    match: draws.fields(0.4, {
      functions: () => draws.several('tool::test_one', 'tool::test_t*'),
      labels: () => draws.several('pii', 'phi'),
      credentials: () => ['mail*'],
      network: () => ['*.bank.example:443'],
      costUsdAbove: () => '0.005',
    }),
    minimum: draws.one('async', 'sync', 'two-person'),
    ...draws.fields(0.2, {
      approverRoles: () => ['role:reviewer'],
      separationOfDuties: () => draws.chance(0.5),
      expiresSeconds: () => draws.one(60, 600),
      reasonRequired: () => true,
    }),
  };
}

/** Names that no other directory of this test has: what its calls are charged is charged to it alone. */
function writePolicies(draws: Draws): void {
  const { policies } = here.team;
  const at = (...names: string[]): string => path.join(policies, ...names);
  const header = (kind: string): JsonObject => ({ apiVersion: 'writ/v1', kind });
  for (const folder of ['tests', 'rbac', 'ceilings']) rmSync(at(folder), { recursive: true, force: true });
  for (const folder of ['rbac', 'ceilings']) mkdirSync(at(folder));
  writeFileSync(at('rbac', 'drawn.yaml'), JSON.stringify({ ...header('Rules'), rules: rulesOf(draws) }));
  const seed = draws.seed();
  for (const layer of ['org', 'environment', 'tenant']) {
    if (!draws.chance(layer === 'org' ? 0.9 : 0.4)) continue;
    const name = layer === 'tenant' ? 'default' : `${layer}-${seed}`;
    const drawn = specOf(draws);
    // The tenant's name is always the same, and so are its meters.
    const kept = Object.entries(drawn).filter(([field]) => field !== 'budget' && field !== 'rates');
    const spec = layer === 'tenant' ? Object.fromEntries(kept) : drawn;
    const document = { ...header('Ceiling'), metadata: { name, layer }, spec };
    writeFileSync(at('ceilings', `${layer}.yaml`), JSON.stringify(document));
  }
}

// --- steps ----------------------------------------------------------------------------------------------------

interface Asked {
  readonly by: 'alice' | 'carol' | 'audrey';
  readonly functionId: string;
  readonly reach: FunctionReach;
  readonly timeoutMs: number;
  readonly data: {
    readonly labels: readonly string[];
    readonly classification: 'public' | 'confidential';
  } | null;
  readonly approval: { readonly mode: 'async' | 'sync'; readonly approverRoles?: string[] } | null;
  readonly ceilings: JsonObject | null;
}

/** `labels`: those that ceilings name; where they name none any will do. */
function askedOf(draws: Draws, labels: readonly string[]): Asked {
  const estimate = draws.one(
    { tokens: 0, costMicroUsd: 0 },
    { tokens: 10, costMicroUsd: 20_000 },
    { tokens: null, costMicroUsd: null },
  );
  return {
    by: draws.one('alice', 'alice', 'alice', 'carol', 'carol', 'audrey'),
    functionId: draws.one(
      'tool::test_one',
      'tool::test_one',
      'tool::test_one',
      'tool::test_two',
      'tool::raw_disk',
    ),
    reach: {
      network: draws.chance(0.3) ? draws.some('api.bank.example:443', 'x.example:80') : [],
      credentials: draws.chance(0.3) ? draws.some('claims-db', 'mail-out') : [],
      tools: draws.chance(0.3) ? draws.some('tool::small', 'tool::big') : [],
      ...(draws.chance(0.5) ? { estimate } : {}),
    },
    timeoutMs: draws.one(120_000, 120_000, 1000, 200_000),
    data: draws.chance(0.7)
      ? {
          labels: draws.some(...(labels.length === 0 ? ['any'] : labels)),
          classification: draws.one('public', 'confidential'),
        }
      : null,
    approval: draws.one(null, null, { mode: 'sync' }, { mode: 'async', approverRoles: ['role:reviewer'] }),
    ceilings: draws.one(null, null, { functions: { deny: ['tool::test_two'] } }),
  };
}

/** The step as a document, and as a question of the same words. */
function workflowOf({ functionId, timeoutMs, approval, ceilings }: Asked): string {
  const step = {
    ...{ name: 's1', functionId, timeoutMs },
    ...(approval === null ? {} : { approval }),
  };
  const head = { id: 'test-drawn', agents: ['claims-triage'], ...(ceilings === null ? {} : { ceilings }) };
  return JSON.stringify({ ...head, steps: [step] });
}

function questionOf({ by, functionId, reach, timeoutMs, data, approval, ceilings }: Asked): PolicyQuestion {
  const limits = { timeoutMs };
  const { estimate = { tokens: 0, costMicroUsd: 0 } } = reach;
  const { tokens, costMicroUsd } = estimate;
  return {
    ...{ initiator: `user:${by}`, agent: 'agent:claims-triage', domain: 'default', nowMs: T0 },
    ...{ action: 'function.invoke', resource: functionId },
    ...{ network: reach.network, credentials: reach.credentials, tools: reach.tools },
    limits: { ...limits, depth: 1 },
    ...(data ?? {}),
    estimate: {
      ...(tokens === null ? {} : { tokens }),
      ...(costMicroUsd === null ? {} : { usd: (costMicroUsd / 1e6).toFixed(6) }),
    },
    ...(approval === null ? {} : { approval }),
    layers: [
      { layer: 'workflow', name: 'test-drawn', spec: ceilings },
      { layer: 'agent', name: '', spec: null },
      { layer: 'step', name: 's1', spec: { limits } },
    ],
  };
}

// --- the law --------------------------------------------------------------------------------------------------

const called: string[] = [];
let reach: FunctionReach = { network: [], credentials: [], tools: [] };
const provider = {
  functionIds: ['tool::test_one', 'tool::test_two', 'tool::raw_disk'],
  reach: async () => reach,
  invoke: async ({ functionId }: { readonly functionId: string }): Promise<Json> => {
    called.push(functionId);
    return {};
  },
};

async function runOf(writ: Writ, asked: Asked): Promise<RunView | WritError> {
  const { team } = here;
  const { data, by } = asked;
  const workflow = { text: workflowOf(asked), file: null };
  reach = asked.reach;
  called.length = 0;
  try {
    const request = { workflow, input: {}, ...(data === null ? {} : { data }) };
    return await team.drive(writ, await writ.start(request, await team.as(writ, by)));
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
}

/** Refused before there was a run: by RBAC for the start itself, or because the document says more than a layer allows. */
function checkRefusal(snapshot: PolicySnapshot, asked: Asked, answer: PolicyAnswer, error: WritError): void {
  const start = answerOf(snapshot, { ...startOf(asked), nowMs: T0 }, []);
  expect(called).toEqual([]);
  if (error.code !== 'DOC_INVALID') {
    expect(start.verdict).toBe('deny');
    expect([error.code, error.message]).toEqual([start.code, start.message]);
    return;
  }
  expect(answer.verdict).toBe('deny');
  const told = answer.layers.filter(({ ok }) => !ok);
  expect(
    told.map(({ field, limit, name, layer }) => `${field} is ${limit} in ceiling ${name} (${layer})`),
  ).toEqual(expect.arrayContaining([expect.toSatisfy((words: string) => error.message.includes(words))]));
}

function startOf({ by }: Asked): PolicyQuestion {
  return { initiator: `user:${by}`, domain: 'default', action: 'workflow.run', resource: 'test-drawn' };
}

/** What the run did, and what the log says of it, is what was answered. */
async function checkRun(answer: PolicyAnswer, asked: Asked, run: RunView): Promise<void> {
  const { team } = here;
  const [decided] = await team.facts(run.id, 'authz.decided');
  const [composed] = await team.facts(run.id, 'ceiling.composed');
  const rules = answer.rules.map(({ subject, ruleId, effect, rolePath }) => ({
    ...{ subject, ruleId, effect, rolePath },
  }));
  const { verdict, code, ruleId } = answer;
  expect(decided).toMatchObject({ verdict, code, ruleId, rules });
  expect(composed?.['layers']).toEqual(answer.layers);
  expect(composed?.['ceilingHash']).toBe(answer.ceilingHash);
  expect(composed?.['effective']).toMatchObject({ approval: answer.approval, limits: answer.limits });
  const [step] = run.steps;
  if (verdict === 'deny') {
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code } });
    expect(step).toMatchObject({ status: 'refused', error: { code, message: answer.message } });
  } else {
    expect([run.status, step?.status]).toEqual(
      verdict === 'allow' ? ['completed', 'succeeded'] : ['waiting', 'waiting'],
    );
  }
  expect(called).toEqual(verdict === 'allow' ? [asked.functionId] : []);
  if (verdict !== 'needs_approval') return;
  const waiting = run.waitingFor;
  expect(waiting?.kind).toBe('approval');
  if (waiting?.kind !== 'approval') return;
  const record = await team.stored((store) => store.approval(waiting.approvalId));
  const { mode, quorum, separationOfDuties, reasonRequired } = answer.approval ?? {};
  expect(record).toMatchObject({ mode, quorum, separationOfDuties, reasonRequired });
  expect(record?.demandedBy).toEqual(answer.demandedBy);
}

it('what policy answers is what the run does', async () => {
  const { team } = here;
  const writ = await team.open({ functions: [provider] });
  const verdicts = new Map<string, number>();
  const law = async (seed: number): Promise<void> => {
    const draws = new Draws(seed);
    writePolicies(draws);
    const { status } = await writ.reloadPolicies();
    const loading = loadPolicies(team.policies);
    if (status === 'kept') {
      // What is not loaded decides nothing, and asking about it is refused as well.
      await expect(loading).rejects.toMatchObject({ code: 'POLICY_INVALID' });
      return;
    }
    const snapshot = await loading;
    for (let at = 0; at < STEPS; at += 1) {
      const asked = askedOf(draws, knownLabels(snapshot.ceilings));
      const answer = answerOf(snapshot, questionOf(asked), []);
      const run = await runOf(writ, asked);
      if (run instanceof WritError) checkRefusal(snapshot, asked, answer, run);
      else await checkRun(answer, asked, run);
      const what = `${run instanceof WritError ? 'no run' : 'run'} ${answer.verdict}`;
      verdicts.set(what, (verdicts.get(what) ?? 0) + 1);
    }
  };
  const known = Array.from({ length: KNOWN }, (_, seed): [number] => [seed]);
  await fc.assert(fc.asyncProperty(fc.integer(), law), {
    ...{ numRuns: POLICIES, endOnFailure: true },
    examples: known,
  });
  // The drawings of these seeds hold all that can be said; what the others hold is chance.
  for (const what of ['run allow', 'run deny', 'run needs_approval', 'no run deny'])
    expect([what, verdicts.get(what) ?? 0]).toEqual([what, expect.toSatisfy((n: number) => n > 0)]);
});
