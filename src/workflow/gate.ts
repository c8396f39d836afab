// `approval` and `sandbox` of a step or state, read the same way in both dialects. A field that this version can not
// enforce is refused, never dropped: a gate that is silently ignored would be worse than none.
import type { ErrorObject } from 'ajv/dist/2020.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import type { Finding, Findings } from './diagnostic.js';
import type { Segments } from './located.js';
import type { ApprovalMode, ApprovalSpec, SandboxLimits, SandboxMount, SandboxSpec } from './plan.js';

/** `value` has passed the schema. AgentOS's tier name `auto` is read as `none`. */
export function approvalSpec(value: Json | undefined): ApprovalSpec | null {
  if (value === undefined) return null;
  const spec = isObject(value) ? value : { mode: value };
  const roles = spec['approverRoles'];
  const { quorum, expiresSeconds, separationOfDuties } = spec;
  return {
    mode: approvalMode(spec['mode']),
    approverRoles: Array.isArray(roles)
      ? roles.filter((role): role is string => typeof role === 'string')
      : [],
    quorum: typeof quorum === 'number' ? quorum : null,
    expiresSeconds: typeof expiresSeconds === 'number' ? expiresSeconds : null,
    reasonRequired: spec['reasonRequired'] === true,
    separationOfDuties: typeof separationOfDuties === 'boolean' ? separationOfDuties : null,
    ...(spec['author'] === true ? { author: true } : {}),
  };
}

// An object without a mode asks for approval, and so does anything unexpected.
function approvalMode(mode: Json | undefined): ApprovalMode {
  if (mode === 'none' || mode === 'auto') return 'none';
  return mode === 'async' || mode === 'two-person' ? mode : 'sync';
}

/** `value` has passed the schema. */
export function sandboxSpec(value: Json | undefined): SandboxSpec | null {
  if (value === undefined) return null;
  const spec = isObject(value) ? value : { driver: value };
  const given = isObject(spec['limits']) ? spec['limits'] : {};
  const limits: { -readonly [Name in keyof SandboxLimits]: SandboxLimits[Name] } = {};
  for (const name of LIMITS) {
    const limit = given[name];
    if (typeof limit === 'number') limits[name] = limit;
  }
  const { image } = spec;
  const mounts = mountsOf(spec['mounts']);
  const [egress, credentials] = [textsOf(spec['egress']), textsOf(spec['credentials'])];
  return {
    driver: spec['driver'] === 'docker' ? 'docker' : 'wasm',
    image: typeof image === 'string' ? image : null,
    limits,
    ...(mounts.length === 0 ? {} : { mounts }),
    ...(egress.length === 0 ? {} : { egress }),
    ...(credentials.length === 0 ? {} : { credentials }),
  };
}

/** Each once. */
function textsOf(value: Json | undefined): readonly string[] {
  if (!Array.isArray(value)) return [];
  return [...new Set(value.filter((one): one is string => typeof one === 'string'))];
}

function mountsOf(value: Json | undefined): readonly SandboxMount[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: Json) => {
    if (!isObject(one)) return [];
    const { source, target, mode } = one;
    if (typeof source !== 'string' || typeof target !== 'string') return [];
    return [{ source, target, mode: mode === 'rw' ? ('rw' as const) : ('ro' as const) }];
  });
}

const LIMITS = [
  'timeoutMs',
  'memoryMiB',
  'cpus',
  'cpuMs',
  'pids',
  'diskMiB',
  'outputBytes',
  'egressBytes',
  'egressRequests',
] as const;

/** A sandbox has no network but listed hosts: what asks for more is refused, whatever the driver. */
export function unsupportedSandbox(error: ErrorObject, at: Segments): Finding | null {
  const title = (error.parentSchema as { title?: unknown } | undefined)?.title;
  if (title !== 'Sandbox network') return null;
  return {
    code: 'DOC_UNSUPPORTED',
    message: 'a sandbox has no network but a way out to listed hosts',
    hint: 'write egress: [host:port], or network: none',
    at,
  };
}

const ABSOLUTE = /^(?:\/(?!\.{1,2}(?:\/|$))[^/]{1,255}){1,100}$/;

/** What no driver can keep, and contradictions the schema can't say. `at` is the sandbox field. */
export function checkSandbox(value: Json | undefined, at: Segments, findings: Findings): void {
  if (!isObject(value)) return;
  const { driver, image, mounts } = value;
  checkEgress(value, at, findings);
  for (const [index, { source, target }] of mountsOf(mounts).entries()) {
    const problem =
      driver === 'wasm'
        ? ([
            'DOC_UNSUPPORTED',
            'a WASM sandbox sees no folder of the host',
            'give the step its data in config',
          ] as const)
        : !ABSOLUTE.test(source)
          ? ([
              'DOC_BAD_VALUE',
              'a mount has a source that is no absolute path',
              'write it without . and .. and a final slash',
            ] as const)
          : !ABSOLUTE.test(target) || !target.startsWith('/mnt/')
            ? (['DOC_BAD_VALUE', 'a mount has a target that is not below /mnt', 'choose /mnt/data'] as const)
            : null;
    if (problem === null) continue;
    const [code, message, hint] = problem;
    findings.add({ code, message, hint, at: [...at, 'mounts', index] });
  }
  if (image !== undefined && driver === 'wasm') {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: 'a WASM sandbox has no image',
      hint: 'name the module in config, or use driver: docker',
      at: [...at, 'image'],
    });
  }
}

/** A way out is listed host by host, for containers. */
function checkEgress(
  { driver, network, egress, credentials, limits }: JsonObject,
  at: Segments,
  findings: Findings,
): void {
  const [hosts, names] = [textsOf(egress), textsOf(credentials)];
  const isAsked = hosts.length > 0 || names.length > 0 || network === 'egress';
  const say = (field: string, message: string, hint: string): void =>
    findings.add({ code: 'DOC_BAD_VALUE', message, hint, at: [...at, field] });
  if (isAsked && driver === 'wasm') {
    findings.add({
      code: 'DOC_UNSUPPORTED',
      message: 'a WASM sandbox has no network',
      hint: 'fetch with tool::http_request before, or use driver: docker',
      at: [...at, hosts.length > 0 ? 'egress' : network === 'egress' ? 'network' : 'credentials'],
    });
  } else if (network === 'none' && hosts.length > 0)
    say('egress', 'a sandbox without network has no egress', 'write network: egress, or leave it out');
  else if (network === 'egress' && hosts.length === 0)
    say('network', 'a sandbox with egress lists no host', 'write egress: [host:port]');
  else if (names.length > 0 && hosts.length === 0)
    say('credentials', 'credentials of a sandbox need hosts to go to', 'write egress: [host:port]');
  else if (hosts.length === 0 && isObject(limits) && ('egressBytes' in limits || 'egressRequests' in limits))
    say('limits', 'a sandbox without egress has nothing to count of it', 'write egress: [host:port]');
}

/** Contradictions the schema can't say. `at` is the approval field. */
export function checkApproval(spec: ApprovalSpec | null, at: Segments, findings: Findings): void {
  if (spec?.mode === 'none') {
    for (const field of demandsOf(spec)) {
      findings.add({
        code: 'DOC_BAD_VALUE',
        message: `approval none asks nobody, so ${field} would be of no effect`,
        hint: `write mode: sync, or leave ${field} out`,
        at: [...at, field],
      });
    }
  }
  if (spec?.mode === 'two-person' && spec.quorum !== null && spec.quorum < 2) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `approval two-person has quorum ${spec.quorum}`,
      hint: 'two-person needs a quorum of 2 or more',
      at: [...at, 'quorum'],
    });
  }
  if (spec?.mode === 'two-person' && spec.separationOfDuties === false) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: 'approval two-person keeps separation of duties',
      hint: 'remove separationOfDuties: false',
      at: [...at, 'separationOfDuties'],
    });
  }
}

/** What of it asks for something of those who approve. */
function demandsOf(spec: ApprovalSpec): readonly string[] {
  const asked = {
    approverRoles: spec.approverRoles.length > 0,
    quorum: spec.quorum !== null,
    expiresSeconds: spec.expiresSeconds !== null,
    reasonRequired: spec.reasonRequired,
    separationOfDuties: spec.separationOfDuties === true,
    author: spec.author === true,
  };
  return Object.entries(asked).flatMap(([field, isAsked]) => (isAsked ? [field] : []));
}
