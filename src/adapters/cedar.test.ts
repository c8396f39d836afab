import { describe, expect, it } from 'vitest';
import { MAX_EFFORT, MAX_POLICY_TEXT, openCedar } from './cedar.js';
import type { PackageAct } from '../runtime/ports.js';

const cedar = openCedar();
const read: PackageAct = { action: 'tool.invoke', resource: 'utcp:file_read' };
const shell: PackageAct = { action: 'tool.invoke', resource: 'tool::shell' };
const host: PackageAct = { action: 'network.egress', resource: 'api.example:443' };
const secret: PackageAct = { action: 'secret.use', resource: 'claims-db' };
const ask = (text: string, ...acts: readonly PackageAct[]) => cedar.refusal(text, { agent: 'triage', acts });

const READ = `permit(principal, action == AgentRC::Action::"tool.invoke", resource == AgentRC::Tool::"file_read");`;

describe('the policy text of a package', () => {
  it('permits what it says, by bare names, and nothing else', async () => {
    expect(await ask(READ, read)).toBeNull();
    expect(await ask(READ)).toBeNull();
    expect(await ask(READ, read, shell)).toEqual({
      ...{ kind: 'denied', act: shell, reason: 'nothing in it permits that' },
    });
    const more = `permit(principal == AgentRC::Agent::"triage", action == AgentRC::Action::"NetworkEgress", resource)
      when { context.ref like "*.example:443" };
      permit(principal, action == AgentRC::Action::"secret.resolve", resource == AgentRC::Secret::"claims-db");`;
    expect(await ask(more, host, secret)).toBeNull();
    expect(await ask(more, { ...host, resource: 'api.example:444' })).toMatchObject({ kind: 'denied' });
    expect(await ask(more, { ...secret, resource: 'other' })).toMatchObject({ kind: 'denied' });
  });

  it('forbids over every permit', async () => {
    const text = `permit(principal, action, resource); forbid(principal, action, resource == AgentRC::Tool::"shell");`;
    expect(await ask(text, read)).toBeNull();
    expect(await ask(text, read, shell)).toMatchObject({ kind: 'denied', act: shell, reason: /forbids/u });
  });

  it('trap: a policy that fails is left out by Cedar, so any error is a no though the answer is allow', async () => {
    const text = `permit(principal, action, resource); forbid(principal, action, resource) when { context.missing == 1 };`;
    expect(await ask(text, read)).toMatchObject({
      kind: 'error',
      act: read,
      reason: expect.stringContaining('fails'),
    });
  });

  it('trap: text that does not parse denies everything, also where nothing is asked', async () => {
    for (const text of [
      'permit(principal, action, resource',
      `forbid(principal, action, resource) when { context.path.startsWith("/etc") };`,
      `permit(principal, action, resource in [AgentRC::Tool::"a", AgentRC::Tool::"b"]);`,
      'END',
    ]) {
      expect(await ask(text)).toMatchObject({ kind: 'error', act: null });
      expect(await ask(text, read)).toMatchObject({ kind: 'error', act: null });
    }
  });

  it('trap: permits of two packages do not add up', async () => {
    const all = 'permit(principal, action, resource);';
    expect(await ask(all, shell)).toBeNull();
    expect(await ask(READ, shell)).toMatchObject({ kind: 'denied' });
    expect(await ask(all, shell)).toBeNull();
  });

  it('HOLE: is asked about no more than takes a moment, as a call of 1,000 acts under 1,400 policies does not', async () => {
    const text = 'permit(principal, action, resource);\n'.repeat(1_000);
    const most = Math.floor(MAX_EFFORT / text.length);
    const acts = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ ...host, resource: `h${i}:1` }));
    expect(await ask(text, ...acts(most))).toBeNull();
    expect(await ask(text, ...acts(most + 1))).toEqual({
      ...{ kind: 'error', act: null },
      reason: `one of ${text.length} characters is asked about ${most} acts at most, this call has ${most + 1}`,
    });
    expect(await ask(READ, ...acts(1_000))).toMatchObject({ kind: 'denied' });
    // The longest text still serves a call of ordinary size.
    expect(MAX_EFFORT / MAX_POLICY_TEXT).toBeGreaterThan(30);
  });

  it('is called without a permit, and not where a policy forbids it or fails', async () => {
    const call: PackageAct = { action: 'agent.invoke', resource: `triage@sha256:${'0'.repeat(64)}` };
    expect(await ask(READ, call)).toBeNull();
    expect(
      await ask(`${READ} forbid(principal, action, resource == AgentRC::Agent::"triage");`, call),
    ).toEqual({ kind: 'denied', act: call, reason: 'policy1 forbids that' });
    expect(await ask(`${READ} permit(principal, action, resource) when { resource.a };`, call)).toMatchObject(
      {
        kind: 'error',
        act: call,
      },
    );
  });

  it('trap: templates, extension values that are none, overflow and types that do not fit are a no', async () => {
    const all = 'permit(principal, action, resource);';
    const forbid = (body: string): string => `${all} forbid(principal, action, resource) when { ${body} };`;
    for (const text of [
      `${all} forbid(principal == ?principal, action, resource);`,
      `${all} forbid(principal, action, resource in ?resource);`,
      `@id("a") @id("b") ${all}`,
      forbid('ip("999.1.1.1").isLoopback()'),
      forbid('ip(context.ref).isLoopback()'),
      forbid('decimal("1.123456").lessThan(decimal("2.0"))'),
      forbid('datetime("x") < datetime("2024-01-01")'),
      forbid('unheard("of")'),
      forbid('9223372036854775807 + 1 > 0'),
      forbid('context.ref'),
      forbid('1 < "a"'),
      forbid('resource.owner == "x"'),
      forbid('principal.getTag("x") == 1'),
      `${all.repeat(300)} ${forbid('context.missing == 1')}`,
      `\ufeff${all}`,
      `${all} END`,
      JSON.stringify({ effect: 'permit' }),
    ]) {
      expect(await ask(text, read), text.slice(0, 120)).toMatchObject({ kind: 'error' });
    }
  });

  it('trap: two policies of one id are both asked, and names that only look like ours permit nothing', async () => {
    const same =
      '@id("same") permit(principal, action, resource); @id("same") forbid(principal, action, resource);';
    expect(await ask(same, read)).toMatchObject({ kind: 'denied' });
    for (const scope of [
      'action == AgentRC::Action::"t\u043eol.invoke", resource',
      'action == Action::"tool.invoke", resource',
      'action, resource == Tool::"file_read"',
      'action, resource == AgentRC::Tool::"utcp:file_read"',
      'action, resource is AgentRC::Host',
    ]) {
      expect(await ask(`permit(principal, ${scope});`, read), scope).toMatchObject({ kind: 'denied' });
    }
  });

  it('is bounded, and no name in a question is read as Cedar', async () => {
    expect(await ask(' '.repeat(MAX_POLICY_TEXT + 1), read)).toMatchObject({ kind: 'error' });
    const odd = { action: 'tool.invoke' as const, resource: `x"); permit(principal, action, resource); //` };
    expect(await ask(READ, odd)).toMatchObject({ kind: 'denied' });
  });

  it('trap: a text that nests so deep that the engine breaks is a no, and takes no other package with it', async () => {
    const all = 'permit(principal, action, resource);';
    const when = (body: string): string => `permit(principal, action, resource) when { ${body} };`;
    for (const deep of [
      when('('.repeat(20_000) + 'true' + ')'.repeat(20_000)),
      when(`1 == ${'1+'.repeat(20_000)}1`),
      when(`context${'.a'.repeat(20_000)} == 1`),
    ]) {
      // All at once: who waits for the same engine must not pay for it.
      const [before, hostile, after] = await Promise.all([
        ask(all, shell),
        ask(deep, shell),
        ask(READ, read),
      ]);
      expect(hostile).toMatchObject({ kind: 'error' });
      expect([before, after]).toEqual([null, null]);
      expect(await ask(all, shell)).toBeNull();
      expect(await ask(READ, shell)).toMatchObject({ kind: 'denied', reason: 'nothing in it permits that' });
      expect(await ask(deep, shell)).toEqual(hostile);
    }
  });

  it('says no when the engine can not be loaded or breaks', async () => {
    const missing = openCedar(() => Promise.reject(new Error('no engine')));
    expect(await missing.refusal(READ, { agent: 'a', acts: [] })).toMatchObject({ kind: 'error' });
    const engine = await import('@cedar-policy/cedar-wasm/nodejs');
    const broken = openCedar(() =>
      Promise.resolve({
        ...engine,
        statefulIsAuthorized: () => {
          throw new Error('trap');
        },
      }),
    );
    expect(await broken.refusal(READ, { agent: 'a', acts: [read] })).toMatchObject({
      kind: 'error',
      reason: 'the engine breaks on it: trap',
    });
  });
});
