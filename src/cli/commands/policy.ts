// The commands `writ policy …`.
import type { Command } from 'commander';
import type { QuestionFlags } from '../policy/question.js';
import type { Flags, Leaf } from './leaf.js';
import { collectText, numberOf, onlyOnce, textsOf, wholeNumber, textsIn } from './options.js';

/** Registers them at `parent`. */
export function addPolicyCommands(parent: Command, leaf: Leaf): void {
  const check = addCheck(parent, leaf);
  const explain = addExplain(parent, leaf);
  for (const command of [check, explain]) {
    command
      .option('--domain <name>', "tenant (default: the data directory's)", onlyOnce)
      .option('--agent <name>', 'the agent or service that acts for the subject', onlyOnce)
      .option('--sandbox <kind>', 'wasm, docker or none (default: the one it would run in)', onlyOnce)
      .option('--network <host:port>', 'it reaches; may be given again', collectText)
      .option('--mount <path:mode>', 'it sees, PATH:ro or PATH:rw; may be given again', collectText)
      .option('--credential <name>', 'it uses; may be given again', collectText)
      .option('--label <name>', 'its data carries; may be given again (default: not known)', collectText)
      .option('--unlabelled', 'its data carries no label')
      .option(
        '--classification <level>',
        'its data is public, internal, confidential or restricted (default: not known)',
        onlyOnce,
      )
      .option('--timeout-ms <n>', 'it asks for', onlyOnce)
      .option('--memory-mib <n>', 'it asks for', onlyOnce)
      .option('--at <time>', 'when, e.g. 2026-01-31T00:00:00Z (default: now)', onlyOnce);
  }
  addLint(parent, leaf);
  addTest(parent, leaf);
  addDiff(parent, leaf);
  addLock(parent, leaf);
  addVerify(parent, leaf);
}

function addCheck(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'check',
    'may SUBJECT do ACTION on RESOURCE? RBAC and every ceiling of the directory; exit 3 = no',
    'writ policy check user:alice agent.invoke ghcr.io/bank/claims-triage@sha256:… --agent claims-triage',
    async (context, words, flags) =>
      (await import('../policy/policy.js')).checkPolicy(context, words, questionFlags(flags)),
  )
    .argument('<subject>', 'user:NAME, agent:NAME or service:NAME')
    .argument('<action>', 'such as workflow.run or function.invoke')
    .argument('<resource>', 'workflow id, function id, package, …');
}

function addExplain(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'explain',
    'which rule, layer and field decides a request, or has decided in a run or a step of it',
    'writ policy explain user:bob workflow.run claims-review',
    async (context, words, flags) =>
      (await import('../policy/policy.js')).explainPolicy(context, words, questionFlags(flags)),
  ).argument('<what...>', 'SUBJECT ACTION RESOURCE; or @FILE or JSON of a question; or RUN [STEP]');
}

function addLint(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'lint',
    'what is allowed in the policies and likely a mistake; exit 1 for what can never work',
    'writ policy lint --strict',
    async (context, _, flags) =>
      (await import('../policy/tests.js')).lintHere(context, { strict: flags['strict'] === true }),
  ).option('--strict', 'exit 1 for warnings too');
}

function addTest(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'test',
    'ask the cases of tests/*.yaml; exit 1 where a verdict is another one',
    'writ policy test --coverage',
    async (context, _, flags) =>
      (await import('../policy/tests.js')).testPolicies(context, {
        coverage: flags['coverage'] === true,
        minCoverage: numberOf(flags['minCoverage']) ?? null,
      }),
  )
    .option('--coverage', 'list the rules that decide no case')
    .option('--min-coverage <percent>', 'exit 1 when fewer rules decide a case', wholeNumber(0, 100));
}

function addDiff(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'diff',
    'which decisions change from one policy directory to another',
    'writ policy diff policies policies.new',
    async (context, words, flags) =>
      (await import('../policy/tests.js')).diffPolicies(context, words, {
        exitCode: flags['exitCode'] === true,
      }),
  )
    .argument('<before>', 'policy directory')
    .argument('<after>', 'policy directory')
    .option('--exit-code', 'exit 1 when anything differs');
}

function addLock(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'lock',
    'write policies.lock: from now on files that differ from it are refused',
    'writ policy lock --sign --key alice.key',
    async (context, _, flags) =>
      (await import('../policy/lock.js')).lockPolicies(context, { sign: flags['sign'] === true }),
  ).option('--sign', 'sign it with --key');
}

function addVerify(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'verify',
    'check the files against policies.lock, and who signed it',
    'writ policy verify --require-signed-policy 2 --signer ed25519:…',
    async (context, _, flags) =>
      (await import('../policy/lock.js')).verifyPolicies(context, {
        signer: textsOf(flags['signer']),
        requireSignedPolicy: numberOf(flags['requireSignedPolicy']) ?? null,
      }),
  )
    .option('--signer <key>', 'a public key that may sign; may be given again', collectText)
    .option('--require-signed-policy <n>', 'so many of them must have signed', wholeNumber(0, 100));
}

function questionFlags(flags: Flags): QuestionFlags {
  return {
    ...textsIn(flags, 'domain', 'agent', 'sandbox', 'classification', 'timeoutMs', 'memoryMib', 'at'),
    network: textsOf(flags['network']),
    mount: textsOf(flags['mount']),
    credential: textsOf(flags['credential']),
    label: textsOf(flags['label']),
    unlabelled: flags['unlabelled'] === true,
  };
}
