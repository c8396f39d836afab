// The functions that an operator configures, through whole runs: tool::http_request, tool::health_check, MCP tools and
// security::check. Policy and ceilings see where a call goes before anything is sent, and what is refused sends nothing.
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offeredTools, writePins } from '../../src/mcp-project.js';
import type { JsonObject } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { AGENT_REFERENCE, FakeSandbox, rules, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const MCP_SERVER = path.resolve(import.meta.dirname, '..', 'mcp-server', 'main.mjs');
const SECRET = 'Zq7-do-not-tell-anybody';

let server: Server;
let asked: { readonly url: string; readonly authorization: string | undefined }[] = [];
let host = '';

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    const { url = '', headers } = request;
    asked.push({ url, authorization: headers.authorization });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ claim: 'C-1', echoed: headers.authorization ?? null }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `localhost:${(server.address() as AddressInfo).port}`;
  const { team } = here;
  const allowed = ['tool::http_request', 'tool::health_check', 'security::check', 'mcp::bank::*'];
  writeFileSync(
    path.join(team.policies, 'rbac', 'configured.yaml'),
    rules(
      ...allowed.flatMap((resource) =>
        (['adjuster', 'claims-agent'] as const).map((role) => [role, 'function.invoke', resource] as const),
      ),
      ['reviewer', 'approval.decide', 'tool::http_request'],
      // Ids of rules are unique over all files.
    ).replaceAll('TEST-', 'CONF-'),
  );
  // The shipped ceiling knows no network, and no functions but agents and tools.
  const org = path.join(team.policies, 'ceilings', 'org.yaml');
  const ceiling = parseDocument(readFileSync(org, 'utf8'));
  ceiling.deleteIn(['spec', 'network']);
  ceiling.setIn(
    ['spec', 'functions', 'allow'],
    ['tool::*', 'mcp::bank::*', 'security::check', 'audit::erase'],
  );
  writeFileSync(org, ceiling.toString());
  mkdirSync(path.join(team.data, 'secrets'), { recursive: true, mode: 0o700 });
  writeFileSync(path.join(team.data, 'secrets', 'claims'), SECRET, { mode: 0o600 });
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function configure(file: string, value: unknown): void {
  writeFileSync(path.join(here.team.home, file), JSON.stringify(value));
}

function listHost(more: JsonObject = {}): void {
  configure('http.yaml', { hosts: { [host]: { http: true, private: true, ...more } } });
}

const httpStep = (more = ''): string =>
  `functionId: "tool::http_request", config: { url: "http://${host}/claims" }${more}`;

describe('tool::http_request in a run', () => {
  it('gives the response as output, and sends and shows a configured secret as it should', async () => {
    const { team } = here;
    listHost({ headers: { authorization: { secret: 'claims', prefix: 'Bearer ' } } });
    const writ = await team.open();
    const run = await team.run(writ, steps([httpStep()]));
    expect(run).toMatchObject({ status: 'completed', output: { status: 200, json: { claim: 'C-1' } } });
    expect(asked).toEqual([{ url: '/claims', authorization: `Bearer ${SECRET}` }]);
    // The host said it again; nobody here does.
    expect(JSON.stringify(run)).not.toContain(SECRET);
    expect(JSON.stringify(run)).toContain('«secret claims»');
  });

  it('is warned of beforehand where an answer of maxBytes may have no room (answer-larger-than-its-output)', async () => {
    const { team } = here;
    listHost();
    const asking = (maxBytes: number): string =>
      steps([
        `functionId: "tool::http_request", config: { url: "http://${host}/claims", maxBytes: ${maxBytes} }`,
      ]);
    const told = async (outputBytes: number, maxBytes: number) => {
      const policies = team.policiesWith('ceilings/org.yaml', (document) => {
        document.setIn(['spec', 'limits', 'outputBytes'], outputBytes);
      });
      const { ok, diagnostics } = await (
        await team.open({ policies })
      ).validate({ text: asking(maxBytes), file: null });
      expect(ok).toBe(true);
      return diagnostics;
    };
    expect(await told(1_048_576, 1_048_576)).toMatchObject([
      {
        severity: 'warning',
        path: 'steps[0].config.maxBytes',
        message: expect.stringContaining(
          'an answer of maxBytes 1048576 may fail the step: an output has at most 1048576',
        ),
        hint: 'write maxBytes: 516096, or less, where the host answers in JSON',
      },
    ]);
    expect(await told(1_048_576, 516_096)).toEqual([]);
    expect(await told(65_536, 24_576)).toEqual([]);
    expect(await told(65_536, 24_577)).toMatchObject([{ hint: expect.stringContaining('maxBytes: 24576,') }]);
  });

  it('sends nothing where http.yaml is missing, broken or lists another host', async () => {
    const { team } = here;
    const runs = [
      [null, 'FUNCTION_UNAVAILABLE'],
      ['hosts: [', 'CONFIG_INVALID'],
      ['hosts: {api.bank.example: {}}', 'POLICY_TOOL_DENIED'],
    ] as const;
    for (const [text, code] of runs) {
      if (text !== null) writeFileSync(path.join(team.home, 'http.yaml'), text);
      const writ = await team.open();
      const run = await team.run(writ, steps([httpStep()]));
      expect(run).toMatchObject({ status: 'failed', error: { code } });
      expect(await team.types(run.id)).not.toContain('step.intended');
    }
    expect(asked).toEqual([]);
  });

  it('is refused by a ceiling on the network before anything is sent', async () => {
    const { team } = here;
    listHost();
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'network'], { mode: 'allowlist', allow: ['api.bank.example:443'] });
    });
    const run = await team.run(await team.open({ policies }), steps([httpStep()]));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'CEILING_NETWORK' } });
    expect(asked).toEqual([]);
  });

  it('asks for approval of exactly this host and secret, and again when http.yaml changes', async () => {
    const { team } = here;
    listHost();
    const writ = await team.open();
    const runId = await team.start(writ, steps([httpStep(', approval: sync')]));
    await team.drive(writ, runId);
    const request = await team.pending(writ, runId);
    const { subject } = await writ.approval(request.id);
    expect(subject).toMatchObject({ sandbox: { network: [host] }, credentials: [] });
    await team.approve(writ, request);
    listHost({ headers: { 'x-team': 'claims' } });
    const later = await team.open();
    const view = await team.drive(later, runId);
    // What was approved is not what would be done now.
    expect(view.status).not.toBe('completed');
    expect(asked).toEqual([]);
  });

  it('refuses a private address that nobody listed as such, with the intent in the log and nothing sent', async () => {
    const { team } = here;
    listHost({ private: false });
    const run = await team.run(await team.open(), steps([httpStep()]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_TOOL_DENIED' } });
    expect(asked).toEqual([]);
  });
});

describe('tool::health_check in a run', () => {
  it('without config is about the runner itself, and a step can act on it', async () => {
    const { team } = here;
    const run = await team.run(
      await team.open(),
      steps([
        'functionId: "tool::health_check", outputVar: health',
        `functionId: "tool::test_one", mode: conditional, condition: "{{health.checks[0].status}} == 'healthy'"`,
      ]),
    );
    expect(run.status).toBe('completed');
    expect(run.steps[0]?.output).toMatchObject({
      checks: expect.arrayContaining([
        { name: 'store', status: 'healthy' },
        { name: 'audit log', status: 'healthy' },
      ]) as unknown,
    });
    expect(team.functions.calls).toHaveLength(1);
  });
});

describe('an MCP tool in a run', () => {
  const serve = (...flags: string[]): void => {
    configure('mcp.yaml', { servers: { bank: { command: process.execPath, args: [MCP_SERVER, ...flags] } } });
  };
  const pin = async (): Promise<void> => {
    const { data, policies } = here.team;
    const signal = new AbortController().signal;
    const { tools } = await offeredTools({ data, policies, server: 'bank', env: process.env, signal });
    await writePins(policies, 'bank', tools);
  };
  const add = 'functionId: "mcp::bank::add", config: { a: 2, b: 3 }';

  it('is called when it is what was pinned', async () => {
    serve();
    await pin();
    const run = await here.team.run(await here.team.open(), steps([add]));
    expect(run).toMatchObject({
      status: 'completed',
      output: { content: '5', structuredContent: { sum: 5 } },
    });
  });

  it('is no function before it is pinned', async () => {
    serve();
    const writ = await here.team.open();
    const { diagnostics } = await writ.validate({ text: steps([add]), file: null });
    expect(diagnostics).toMatchObject([{ code: 'DOC_UNKNOWN_FUNCTION', severity: 'error' }]);
  });

  it('gets no request that does not fit its pinned schema', async () => {
    serve();
    await pin();
    const writ = await here.team.open();
    const run = await here.team.run(writ, steps([add.replace('a: 2', 'a: "{{input.a}}"')]), { a: 'two' });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'FUNCTION_REQUEST_INVALID' } });
    expect(await here.team.types(run.id)).not.toContain('step.intended');
  });

  it('that changed since is not called', async () => {
    serve();
    await pin();
    const file = path.join(here.team.home, 'mcp.yaml');
    const config = parseDocument(readFileSync(file, 'utf8'));
    config.setIn(['servers', 'bank', 'args'], [MCP_SERVER, '--changed']);
    writeFileSync(file, config.toString());
    const echo = 'functionId: "mcp::bank::echo", config: { text: hello }';
    const run = await here.team.run(await here.team.open(), steps([echo]));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'INTEGRITY_DIGEST' } });
  });
});

describe('security::check in a run', () => {
  const check = (config = ''): string =>
    `functionId: "security::check"${config === '' ? '' : `, config: ${config}`}`;
  const run = async (...lines: string[]): Promise<Awaited<ReturnType<Writ['results']>>> =>
    here.team.run(await here.team.open(), steps(lines));

  it('without config asks about every step, and lets the run go on when all may run', async () => {
    const view = await run(
      check(),
      'functionId: "tool::test_one"',
      'functionId: "tool::test_two", approval: sync',
    );
    expect(view.steps[0]?.output).toMatchObject({
      allowed: true,
      decisions: [
        { stepPath: 's1', resource: 'security::check', verdict: 'allow' },
        { stepPath: 's2', resource: 'tool::test_one', verdict: 'allow' },
        { stepPath: 's3', resource: 'tool::test_two', verdict: 'needs_approval' },
      ],
    });
    expect(view.status).toBe('waiting');
  });

  it('refuses the run where a later step could not run, and nothing of it has run', async () => {
    const view = await run(check(), 'functionId: "tool::test_one"', 'functionId: "tool::raw_disk"');
    expect(view).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_DENY_RULE' } });
    expect(here.team.functions.calls).toEqual([]);
  });

  it('is not skipped or retried like a failure', async () => {
    const denied = `${check('{ action: function.invoke, resource: "tool::raw_disk" }')}, errorMode: skip`;
    const view = await run(denied, 'functionId: "tool::test_one"');
    expect(view).toMatchObject({ status: 'failed', error: { code: 'POLICY_DENY_RULE' } });
    expect(here.team.functions.calls).toEqual([]);
  });

  it('asks about the initiator, and about the agent too for what a step calls', async () => {
    const view = await run(
      check('{ action: function.invoke, resource: "tool::test_one" }'),
      check('{ action: workflow.run, resource: test-steps }'),
    );
    const subjects = view.steps.map(({ output }) =>
      (output as { decisions: { subject: string }[] }).decisions.map(({ subject }) => subject),
    );
    expect(subjects).toEqual([['user:alice', 'agent:claims-triage'], ['user:alice']]);
  });

  it('tells nothing about others without the right to know it', async () => {
    const aboutBob = check('{ subject: "user:bob", action: approval.decide, resource: "tool::test_one" }');
    expect(await run(aboutBob)).toMatchObject({ status: 'failed', error: { code: 'POLICY_NO_MATCH' } });
    const granted = rules(['adjuster', 'policy.read', 'user:bob']).replaceAll('TEST-', 'READ-');
    writeFileSync(path.join(here.team.policies, 'rbac', 'read.yaml'), granted);
    expect(await run(aboutBob)).toMatchObject({ status: 'completed' });
    const aboutAda = aboutBob.replace('user:bob', 'user:ada');
    expect(await run(aboutAda)).toMatchObject({ status: 'failed', error: { code: 'POLICY_NO_MATCH' } });
  });

  it('may always ask about whoever acts', async () => {
    const view = await run(
      check('{ subject: "agent:claims-triage", action: function.invoke, resource: "tool::test_one" }'),
      check('{ subject: "user:alice", action: function.invoke, resource: "tool::test_one" }'),
    );
    expect(view.status).toBe('completed');
  });

  it.each([
    '{ action: function.invoke }',
    '{ resource: "tool::test_one" }',
    '{ subject: "user:alice" }',
    '{ action: 7, resource: "tool::test_one" }',
  ])('refuses the request %s before it asks anybody', async (config) => {
    expect(await run(check(config))).toMatchObject({
      status: 'failed',
      error: { code: 'FUNCTION_REQUEST_INVALID' },
    });
  });

  it('refuses a field that it does not know in the document', async () => {
    const other = check('{ action: function.invoke, resource: "tool::test_one", domain: other }');
    await expect(run(other)).rejects.toMatchObject({
      code: 'DOC_INVALID',
      message: expect.stringContaining('"config" knows no field "domain"'),
    });
  });

  it.each([
    ['{ action: no.such, resource: x }', 'POLICY_REQUEST_INVALID'],
    ['{ subject: alice, action: function.invoke, resource: "tool::test_one" }', 'POLICY_REQUEST_INVALID'],
    ['{ action: function.invoke, resource: "tool::nobody_may" }', 'POLICY_NO_MATCH'],
  ])('refuses %s with the code of policy', async (config, code) => {
    expect(await run(check(config))).toMatchObject({ status: 'failed', exitCode: 3, error: { code } });
  });

  it('works in the other dialect too', async () => {
    const { team } = here;
    const text = states('look', {
      look: { type: 'Task', resource: 'security::check', inputPath: null, end: true },
    });
    const view = await team.run(await team.open(), text);
    expect(view).toMatchObject({ status: 'completed', output: { allowed: true } });
  });

  describe('and the policy text of a package', () => {
    const look = { type: 'Task', resource: 'security::check', inputPath: null };
    const call = { type: 'Task', agent: AGENT_REFERENCE, end: true };
    const asked = (host: string) =>
      states('look', {
        look: {
          ...{ ...look, next: 'call' },
          parameters: { subject: 'agent:claims-triage', action: 'network.egress', resource: host },
        },
        call,
      });
    const TEXT =
      'permit(principal, action, resource); forbid(principal, action, resource == AgentRC::Host::"b.example:443");';
    const open = (packagePolicy: string): Promise<Writ> => {
      writeFileSync(
        path.join(here.team.policies, 'rbac', 'asked.yaml'),
        rules(
          ['adjuster', 'policy.read', 'agent:claims-triage'],
          ['claims-agent', 'network.egress', '*.example:443'],
        ).replaceAll('TEST-', 'ASKED-'),
      );
      return here.team.open({ packagePolicy, sandbox: new FakeSandbox() });
    };

    it('asks it too: what the text forbids is denied, though every rule allows it', async () => {
      const writ = await open(TEXT);
      const stepOf = async (host: string) => (await here.team.run(writ, asked(host))).steps[0];
      expect((await stepOf('a.example:443'))?.error ?? null).toBeNull();
      expect((await stepOf('b.example:443'))?.error).toMatchObject({ code: 'POLICY_DENY_RULE' });
    });

    it('says no about the steps of a workflow whose package has text that can not be read', async () => {
      const writ = await open('permit(');
      const run = await here.team.run(writ, states('look', { look: { ...look, next: 'call' }, call }));
      expect(run).toMatchObject({ exitCode: 3, error: { code: 'POLICY_ERROR' } });
      expect(run.steps).toHaveLength(1);
    });
  });
});
