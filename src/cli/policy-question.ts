// What `writ policy check` and `explain` ask, from words and flags. What the command line leaves out is taken as the
// plain case and said with the answer, so that nobody takes the answer for more than it is.
import { parse } from 'yaml';
import { WritError } from '../errors.js';
import type { PolicyQuestion, PolicySnapshot } from '../policy/index.js';
import { readTextFile } from './bounded-read.js';
import type { Context } from './context.js';

export interface QuestionFlags {
  readonly domain?: string;
  readonly agent?: string;
  readonly sandbox?: string;
  readonly network: readonly string[];
  readonly credential: readonly string[];
  readonly label: readonly string[];
  readonly unlabelled: boolean;
  readonly classification?: string;
  readonly timeoutMs?: string;
  readonly memoryMib?: string;
  readonly at?: string;
}

export interface AskedQuestion {
  readonly question: PolicyQuestion;
  /** What was taken for granted, in words. */
  readonly assumed: readonly string[];
}

/** The directory of a command, read and checked. Throws POLICY_INVALID. */
export async function loadHere(directory: string): Promise<PolicySnapshot> {
  const { loadPolicies } = await import('../library/policy.js');
  return loadPolicies(directory);
}

/** SUBJECT ACTION RESOURCE. */
export async function questionOf(
  context: Context,
  snapshot: PolicySnapshot,
  [subject = '', action = '', resource = '']: readonly string[],
  flags: QuestionFlags,
): Promise<AskedQuestion> {
  const { agent, sandbox, network, credential, label, timeoutMs, memoryMib, at } = flags;
  const assumed: string[] = [];
  const domain = flags.domain ?? (await domainHere(context, snapshot));
  const kind = sandbox === undefined ? anySandbox(snapshot, domain, action) : sandboxOf(sandbox);
  if (sandbox === undefined && kind !== null) assumed.push(`sandbox ${kind} (--sandbox)`);
  const limits = {
    ...(timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }),
    ...(memoryMib === undefined ? {} : { memoryMiB: Number(memoryMib) }),
  };
  return {
    question: {
      ...{ initiator: subject, domain, action, resource, network, limits, credentials: credential },
      ...(agent === undefined ? {} : { agent: agent.includes(':') ? agent : `agent:${agent}` }),
      ...(kind === null ? {} : { sandbox: kind }),
      ...(label.length === 0 && !flags.unlabelled ? {} : { labels: label }),
      ...classified(flags.classification),
      at: at ?? new Date(context.nowMs()).toISOString().replace(/\.\d+Z$/u, 'Z'),
    },
    assumed,
  };
}

/** A whole question as tests/*.yaml spell it: JSON, or @FILE in JSON or YAML. */
export async function wholeQuestion(text: string, nowMs: number): Promise<AskedQuestion> {
  const source = text.startsWith('@')
    ? await readTextFile(text.slice(1), 'INPUT_INVALID', 'INPUT_INVALID')
    : text;
  let value: unknown;
  try {
    value = parse(source, { schema: 'core', maxAliasCount: 0 });
  } catch (cause) {
    throw new WritError('INPUT_INVALID', 'the question is neither JSON nor YAML', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WritError('INPUT_INVALID', 'the question is no object', {
      hint: '{initiator, domain, action, resource, …}, as in policies/tests/*.yaml',
    });
  }
  const timed = 'at' in value || 'nowMs' in value ? value : { ...value, nowMs };
  // Judged field by field by the policy room: what is none is denied, and says why.
  return { question: timed as PolicyQuestion, assumed: [] };
}

/** The tenant of the data directory; without one, the only domain there is. */
export async function domainHere(context: Context, snapshot: PolicySnapshot): Promise<string> {
  const { pathsOf, readConfig } = await import('../data-directory.js');
  const config = await readConfig(pathsOf(context.data).config);
  if (config !== null) return config.tenant;
  const domains = [...snapshot.domains];
  const [only] = domains;
  if (only !== undefined && (domains.length === 1 || domains.includes('default'))) {
    return domains.length === 1 ? only : 'default';
  }
  throw new WritError('USAGE', 'which domain is asked about?', {
    hint: `--domain, one of ${domains.join(', ')}`,
  });
}

/** A sandbox that the ceilings allow: the question is then about everything else. */
function anySandbox(snapshot: PolicySnapshot, domain: string, action: string): 'wasm' | 'docker' | null {
  if (!/^(?:function|agent)\.invoke$/u.test(action)) return null;
  return snapshot.layers.compose(snapshot.layers.own(domain)).ceiling.sandbox.allowed?.at(-1) ?? null;
}

function classified(text: string | undefined): Pick<PolicyQuestion, 'classification'> {
  if (text === undefined) return {};
  const known = (['public', 'internal', 'confidential', 'restricted'] as const).find((one) => one === text);
  if (known !== undefined) return { classification: known };
  throw new WritError('USAGE', `there is no classification ${text}`, {
    hint: '--classification public, internal, confidential or restricted',
  });
}

function sandboxOf(text: string): 'wasm' | 'docker' | null {
  if (text === 'none') return null;
  if (text === 'wasm' || text === 'docker') return text;
  throw new WritError('USAGE', `there is no sandbox ${text}`, { hint: '--sandbox wasm, docker or none' });
}
