// Cases from Casbin's own suites, by stock Casbin: an upgrade that changes a verdict is seen before it decides anything
// here. Their models are not ours; what is ours is tested beside src/policy.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DefaultRoleManager, newEnforcer, newModelFromString, StringAdapter, Util } from 'casbin';
import { describe, expect, it } from 'vitest';

interface Case {
  readonly source: string;
  readonly test: string;
  readonly model: string;
  readonly policy: string;
  readonly request: readonly string[];
  readonly expected: boolean;
  /** What the original test made of the enforcer first, in the words of its own language. */
  readonly setup?: readonly string[];
}

const FILE = fileURLToPath(new URL('../../../shared/corpus/policy/casbin-rbac-60.jsonl', import.meta.url));
const HAVE = existsSync(FILE);
const CASES = HAVE
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Case)
  : [];

async function verdictOf({ model, policy, request, setup }: Case): Promise<boolean> {
  const enforcer = await newEnforcer(newModelFromString(model));
  const roles = enforcer.getRoleManager();
  if (setup !== undefined) {
    if (!setup.every((call) => /DomainMatchingFunc\(.*keyMatch2/i.test(call)))
      throw new Error(`unknown setup: ${setup.join('; ')}`);
    if (!(roles instanceof DefaultRoleManager)) throw new Error('the role manager is another one');
    await roles.addDomainMatchingFunc(Util.keyMatch2Func);
  }
  enforcer.setAdapter(new StringAdapter(policy));
  await enforcer.loadPolicy();
  return enforcer.enforce(...request);
}

describe.skipIf(!HAVE)(
  `Casbin's own cases${HAVE ? '' : ' (skipped: ../shared/corpus/policy is absent)'}`,
  () => {
    it('get from the pinned engine the verdicts that their authors expect', async () => {
      const wrong: string[] = [];
      for (const one of CASES) {
        const { source, test, request, expected } = one;
        if ((await verdictOf(one)) !== expected) wrong.push(`${source} ${test} ${request.join(', ')}`);
      }
      expect(wrong).toEqual([]);
      expect(CASES.length).toBe(60);
    });
  },
);
