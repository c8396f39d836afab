// A ceiling whose deny, rate or approval rule can never match protects nothing and looks as if it did.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { checkCeilingSpec } from './spec.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const ruleOn = (match: Json): Json => ({ approval: { rules: [{ match, minimum: 'sync' }] } });

function problemsOf(spec: Json): readonly string[] {
  const checked = checkCeilingSpec(spec);
  return checked.ok ? [] : checked.problems.map(({ pointer, message }) => `${pointer} ${message}`);
}

describe('a name in a ceiling that nothing could be called by', () => {
  it.each<[string, Json, string]>([
    ['a deny with one colon', { functions: { deny: ['tool:raw_*'] } }, '/functions/deny/0'],
    ['a deny with a blank', { functions: { deny: ['tool::x', 'tool:: raw_*'] } }, '/functions/deny/1'],
    ['a deny with a letter that looks Latin', { functions: { deny: ['tool::rаw_*'] } }, '/functions/deny/0'],
    ['a deny of capitals', { agents: { deny: ['GHCR.io/Bank/*'] } }, '/agents/deny/0'],
    ['a deny of a tag', { agents: { deny: ['ghcr.io/bank/x:latest'] } }, '/agents/deny/0'],
    ['a deny of a short digest', { agents: { deny: ['ghcr.io/bank/x@sha256:ab'] } }, '/agents/deny/0'],
    ['a deny with a blank behind its star', { functions: { deny: ['tool::raw_* '] } }, '/functions/deny/0'],
    ['a deny with a Cyrillic letter behind it', { functions: { deny: ['tool::*dеl'] } }, '/functions/deny/0'],
    ['a deny of capitals behind a star', { agents: { deny: ['*/Evil'] } }, '/agents/deny/0'],
    ['a deny of a tag behind a star', { agents: { deny: ['*/evil:latest'] } }, '/agents/deny/0'],
    ['a deny of a short digest behind a star', { agents: { deny: ['*@sha256:ab'] } }, '/agents/deny/0'],
    ...(['tools', 'skills', 'mcp', 'memory', 'delegation', 'credentials'] as const).map(
      (field): [string, Json, string] => [
        `a deny in ${field} with a blank`,
        { [field]: { deny: ['claims-db '] } },
        `/${field}/deny/0`,
      ],
    ),
    [
      'a rule about a credential with a blank',
      ruleOn({ credentials: ['db '] }),
      '/approval/rules/0/match/credentials/0',
    ],
    ['a rate with a blank', { rates: [{ match: 'tool::* ', count: 1, perSeconds: 60 }] }, '/rates/0/match'],
    ['a rate', { rates: [{ match: 'tool:http', count: 1, perSeconds: 60 }] }, '/rates/0/match'],
    ['a rule about a function', ruleOn({ functions: ['tool:x'] }), '/approval/rules/0/match/functions/0'],
    ['a rule about a package', ruleOn({ agents: ['Bank/*'] }), '/approval/rules/0/match/agents/0'],
  ])('is refused: %s', (_, spec, pointer) => {
    expect(problemsOf(spec)).toEqual([expect.stringMatching(`^${pointer} can never match`)]);
  });

  it.each(['functions', 'agents', 'labels', 'sandbox', 'credentials', 'network'])(
    'is refused: a rule about no %s at all, which would never apply',
    (key) => {
      const [problem, ...others] = problemsOf(ruleOn({ [key]: [] }));
      expect(problem).toBe(`/approval/rules/0/match/${key} "${key}" is empty, so the rule would never apply`);
      expect(others).toEqual([]);
    },
  );

  it('is none where it can match: every form of a function and a package, and patterns without a beginning', () => {
    const packages = ['ghcr.io/bank/*', 'localhost:5000/x', `ghcr.io/x@${DIGEST}`, 'x@sha256:ab*', '*@*'];
    packages.push(
      '*/evil',
      '*/evil?',
      '*:5000/x',
      `*@${DIGEST}`,
      `*56:${'0'.repeat(64)}`,
      '*ab',
      '*-v?-*@sha*0',
    );
    const functions = ['tool::raw_*', 't*', '*::x', '?ool::x', 'tool:*', '*'];
    expect(problemsOf({ functions: { deny: functions }, agents: { deny: packages } })).toEqual([]);
    expect(problemsOf(ruleOn({ functions: [...functions, ...packages], agents: packages }))).toEqual([]);
    const rates = [...functions, ...packages].map((match) => ({ match, count: 1, perSeconds: 1 }));
    expect(problemsOf({ rates })).toEqual([]);
    expect(problemsOf(ruleOn({}))).toEqual([]);
  });
});
