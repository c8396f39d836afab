// The closed list of actions and the form of the resource each is asked with. A rule whose resource can't have
// that form would never match, which an operator would take for protection: it is refused at load.
import { hasWildcard, literalPrefix } from './glob.js';

interface ResourceForm {
  readonly what: string;
  readonly value: RegExp;
  /** What the text before a pattern's first wildcard may look like. */
  readonly prefix: RegExp;
}

const NAME: ResourceForm = { what: 'a name', value: /^[^\s]+$/u, prefix: /^[^\s]*$/u };
const WORKFLOW: ResourceForm = {
  what: 'a workflow id',
  value: /^[A-Za-z0-9_.:-]+$/,
  prefix: /^[A-Za-z0-9_.:-]*$/,
};
const FUNCTION: ResourceForm = {
  what: 'a function id such as tool::wasm',
  value: /^[A-Za-z0-9_.-]+::[A-Za-z0-9_.:/-]+$/,
  prefix: /^[A-Za-z0-9_.-]*(?::(?::[A-Za-z0-9_.:/-]*)?)?$/,
};
const PACKAGE: ResourceForm = {
  what: 'an agent package <repository>@sha256:<64 hex>',
  value: /^(?!.*::)[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$/,
  prefix: /^(?!.*::)[a-z0-9._/:-]*(?:@[a-z0-9:]*)?$/,
};
const DECIDABLE: ResourceForm = {
  what: `${FUNCTION.what} or ${PACKAGE.what}`,
  value: new RegExp(`${FUNCTION.value.source}|${PACKAGE.value.source}`),
  prefix: new RegExp(`${FUNCTION.prefix.source}|${PACKAGE.prefix.source}`),
};
const HOST: ResourceForm = {
  what: 'host:port in lower case without a trailing dot',
  value: /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4}$/,
  prefix: /^[a-z0-9_.:[\]-]*$/,
};
const PATH: ResourceForm = {
  what: 'an absolute path without empty, . or .. segments',
  value: /^\/$|^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/u,
  prefix: /^(?:$|(?:\/(?!\.{1,2}\/)[^/]+)*\/?[^/]*$)/u,
};
// A key may hold blanks, so a pattern for one may too; a bucket and a / alone stand for the list of what is in it.
const ARTIFACT: ResourceForm = {
  what: 'an artifact <bucket>/<key> without . or .. segments, or sha256:<64 hex>',
  value: /^sha256:[0-9a-f]{64}$|^(?!.*\/\.{1,2}(?:\/|$))[A-Za-z0-9][A-Za-z0-9._-]{0,62}\/[^\\]*$/u,
  prefix: /^(?:sha256(?::[0-9a-f]*)?|[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:\/[^\\]*)?)?$/u,
};

const FORMS = {
  'workflow.create': WORKFLOW,
  'workflow.run': WORKFLOW,
  'run.cancel': WORKFLOW,
  'run.resume': WORKFLOW,
  'function.invoke': FUNCTION,
  'agent.invoke': PACKAGE,
  'agent.delegate': NAME,
  'tool.invoke': NAME,
  'skill.invoke': NAME,
  'mcp.request': NAME,
  'network.egress': HOST,
  'filesystem.read': PATH,
  'filesystem.write': PATH,
  'memory.read': NAME,
  'memory.write': NAME,
  'secret.use': NAME,
  'artifact.read': ARTIFACT,
  'artifact.write': ARTIFACT,
  'approval.decide': DECIDABLE,
  'approval.breakglass': DECIDABLE,
  'task.answer': FUNCTION,
  'audit.read': NAME,
  'audit.export': NAME,
  'audit.erase': NAME,
  'audit.rotate_key': NAME,
  'policy.read': NAME,
  'policy.edit': NAME,
  'policy.reload': NAME,
} as const satisfies Record<string, ResourceForm>;

/** What may be asked. */
export type Action = keyof typeof FORMS;

export const ACTIONS: readonly string[] = Object.keys(FORMS);

export function isAction(text: unknown): text is Action {
  return typeof text === 'string' && Object.hasOwn(FORMS, text);
}

/** Why a request can't name `resource` under `action`, or null. */
export function resourceProblem(action: Action, resource: string): string | null {
  const form: ResourceForm = FORMS[action];
  if (!form.value.test(resource)) return `"${resource}" is not ${form.what}, as ${action} needs`;
  return action === 'network.egress' ? addressProblem(resource) : null;
}

/** An address has many spellings (`0x7f.1`, `[0:0::1]`), and a deny names one: only the usual one can be asked for. */
export function addressProblem(hostAndPort: string): string | null {
  const colon = hostAndPort.lastIndexOf(':');
  const url = `http://${hostAndPort.slice(0, colon)}/`;
  const usual = URL.canParse(url) ? new URL(url).hostname : null;
  if (usual === hostAndPort.slice(0, colon) && Number(hostAndPort.slice(colon + 1)) <= 65_535) return null;
  return `"${hostAndPort}" is not written as addresses usually are${usual === null ? '' : `: ${usual}`}`;
}

/** Why no resource of `action` could ever match `pattern`, or null. `*` as action: any resource is possible. */
export function unmatchable(action: Action | '*', pattern: string): string | null {
  if (action === '*') return null;
  const form: ResourceForm = FORMS[action];
  const possible = hasWildcard(pattern) ? form.prefix.test(literalPrefix(pattern)) : form.value.test(pattern);
  return possible ? null : `can never match: "${pattern}" is not ${form.what}, as ${action} needs`;
}

/**
 * Whether a step does it, so that its sandbox, data, cost and approval are judged. The others are what people and the
 * runner do around a run: they have none of these, and RBAC alone decides.
 */
export function isStepAct(action: Action): boolean {
  return !/^(?:workflow|run|artifact|approval|task|audit|policy)\./.test(action);
}
