// The commands `writ policy …`.
import type { QuestionFlags } from '../policy/question.js';
import { collectText, numberOf, textsIn, labelsSaid, textsOf, wholeNumber } from './options.js';
import type { Flags, Group, OptionRow } from './verb.js';

/** What a question says beyond who, what and on what. */
const QUESTION: readonly OptionRow[] = [
  ['--domain <name>', "tenant (default: the data directory's)"],
  ['--agent <name>', 'the agent or service that acts for the subject'],
  ['--sandbox <kind>', 'wasm, docker or none (default: the one it would run in)'],
  ['--network <host:port>', 'it reaches; may be given again', collectText],
  ['--mount <path:mode>', 'it sees, PATH:ro or PATH:rw; may be given again', collectText],
  ['--credential <name>', 'it uses; may be given again', collectText],
  ['--label <name>', 'its data carries; may be given again (default: not known)', collectText],
  ['--unlabelled', 'its data carries no label'],
  [
    '--classification <level>',
    'its data is public, internal, confidential or restricted (default: not known)',
  ],
  ['--timeout-ms <n>', 'it asks for'],
  ['--memory-mib <n>', 'it asks for'],
  ['--at <time>', 'when, e.g. 2026-01-31T00:00:00Z (default: now)'],
];

export const policyCommands: Group = {
  name: 'policy',
  does: 'ask, explain, test and lock policies',
  example: 'writ policy check user:alice workflow.run claims-review',
  verbs: [
    {
      name: 'check',
      does: 'may SUBJECT do ACTION on RESOURCE? RBAC and every ceiling of the directory; exit 3 = no',
      example:
        'writ policy check user:alice agent.invoke ghcr.io/bank/claims-triage@sha256:… --agent claims-triage',
      words: [
        ['<subject>', 'user:NAME, agent:NAME or service:NAME'],
        ['<action>', 'such as workflow.run or function.invoke'],
        ['<resource>', 'workflow id, function id, package, …'],
      ],
      options: QUESTION,
      action: async (context, words, flags) =>
        (await import('../policy/policy.js')).checkPolicy(context, words, questionFlags(flags)),
    },
    {
      name: 'explain',
      does: 'which rule, layer and field decides a request, or has decided in a run or a step of it',
      example: 'writ policy explain user:bob workflow.run claims-review',
      words: [['<what...>', 'SUBJECT ACTION RESOURCE; or @FILE or JSON of a question; or RUN [STEP]']],
      options: QUESTION,
      action: async (context, words, flags) =>
        (await import('../policy/policy.js')).explainPolicy(context, words, questionFlags(flags)),
    },
    {
      name: 'lint',
      does: 'what is allowed in the policies and likely a mistake; exit 1 for what can never work',
      example: 'writ policy lint --strict',
      options: [['--strict', 'exit 1 for warnings too']],
      action: async (context, _, flags) =>
        (await import('../policy/tests.js')).lintHere(context, { strict: flags['strict'] === true }),
    },
    {
      name: 'test',
      does: 'ask the cases of tests/*.yaml; exit 1 where a verdict is another one',
      example: 'writ policy test --coverage',
      options: [
        ['--coverage', 'list the rules that decide no case'],
        ['--min-coverage <percent>', 'exit 1 when fewer rules decide a case', wholeNumber(0, 100)],
      ],
      action: async (context, _, flags) =>
        (await import('../policy/tests.js')).testPolicies(context, {
          coverage: flags['coverage'] === true,
          minCoverage: numberOf(flags['minCoverage']) ?? null,
        }),
    },
    {
      name: 'diff',
      does: 'which decisions change from one policy directory to another',
      example: 'writ policy diff policies policies.new',
      words: [
        ['<before>', 'policy directory'],
        ['<after>', 'policy directory'],
      ],
      options: [['--exit-code', 'exit 1 when anything differs']],
      action: async (context, words, flags) =>
        (await import('../policy/tests.js')).diffPolicies(context, words, {
          exitCode: flags['exitCode'] === true,
        }),
    },
    {
      name: 'lock',
      does: 'write policies.lock: from now on files that differ from it are refused',
      example: 'writ policy lock --sign --key alice.key',
      options: [['--sign', 'sign it with --key']],
      action: async (context, _, flags) =>
        (await import('../policy/lock.js')).lockPolicies(context, { sign: flags['sign'] === true }),
    },
    {
      name: 'verify',
      does: 'check the files against policies.lock, and who signed it',
      example: 'writ policy verify --require-signed-policy 2 --signer ed25519:…',
      options: [
        ['--signer <key>', 'a public key that may sign; may be given again', collectText],
        ['--require-signed-policy <n>', 'so many of them must have signed', wholeNumber(0, 100)],
      ],
      action: async (context, _, flags) =>
        (await import('../policy/lock.js')).verifyPolicies(context, {
          signer: textsOf(flags['signer']),
          requireSignedPolicy: numberOf(flags['requireSignedPolicy']) ?? null,
        }),
    },
  ],
};

function questionFlags(flags: Flags): QuestionFlags {
  return {
    ...textsIn(flags, 'domain', 'agent', 'sandbox', 'classification', 'timeoutMs', 'memoryMib', 'at'),
    network: textsOf(flags['network']),
    mount: textsOf(flags['mount']),
    credential: textsOf(flags['credential']),
    ...labelsSaid(flags),
  };
}
