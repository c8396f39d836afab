import { describe, expect, it } from 'vitest';
import { parseWorkflow } from '../parse.js';
import statesSchema from '../schema/states.json' with { type: 'json' };
import { KEYWORDS } from './as-written.js';

const told = (text: string) =>
  parseWorkflow(text).diagnostics.map(({ message, hint = '', path }) => `${path} | ${message} | ${hint}`);
const plain = (states: object) => told(JSON.stringify({ StartAt: 'A', States: states }));

describe('the findings of a document', () => {
  it('name fields and places as a document in capitals writes them', () => {
    const all = plain({
      A: { Type: 'Choice', Choices: [{ Variable: '$.x', NumericEquals: '1', Next: 'B' }] },
      B: { Type: 'Wait', Seconds: 1, SecondsPath: '$.s' },
      C: { Type: 'Task', Resouce: 'x', TimeoutSeconds: 1, HeartbeatSeconds: 2, End: true },
    }).join('\n');
    expect(all).toContain('states.A.choices[0].numericEquals | "NumericEquals" must be a number, not "1"');
    expect(all).toContain('a state has neither "Next" nor "End: true" | add Next: <state>, or End: true');
    expect(all).toContain('a Wait has "Seconds" and "SecondsPath" of "Seconds", "SecondsPath", "Timestamp"');
    expect(all).toContain('"C" knows no field "Resouce" | did you mean "Resource"?');
    expect(all).toContain('states.C.heartbeatSeconds | HeartbeatSeconds 2 is not less than TimeoutSeconds 1');
    expect(all).toContain('name it in a "Next", "Default" or "Catch"');
  });

  it('leave what the author wrote in lower case: names of states and texts', () => {
    const all = plain({
      A: { Type: 'Pass', Next: 'nextt' },
      next: { Type: 'Pass', End: true },
      retry: { Type: 'end', End: true },
    }).join('\n');
    expect(all).toContain('no path leads to the state "next"');
    expect(all).toContain('"Type" can\'t be "end"');
    expect(all).toContain('did you mean "next"?');
  });

  it('stay in native names for a document that writes these', () => {
    const text = 'apiVersion: agentrc.workflow/v0.1\nkind: AgentWorkflow\nmetadata: { name: x }\nspec:\n';
    const [finding] = told(`${text}  startAt: A\n  states: { A: { type: Wait, Seconds: -1, end: true } }\n`);
    expect(finding).toContain('spec.states.A.seconds | "seconds" must be >= 0');
  });

  it('know every keyword of the published schema', () => {
    const known = new Set<string>();
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      const { properties } = value as { properties?: object };
      for (const name of Object.keys(properties ?? {})) known.add(name);
      Object.values(value).forEach(walk);
    };
    const { approval: _a, sandbox: _s, data: _d, ...defs } = statesSchema.$defs;
    walk(defs);
    expect([...KEYWORDS].sort()).toEqual([...known].sort());
  });
});
