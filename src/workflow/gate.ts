// `approval` and `sandbox` of a step or state, read the same way in both dialects. A field that this version can not
// enforce is refused, never dropped: a gate that is silently ignored would be worse than none.
import type { ErrorObject } from 'ajv/dist/2020.js';
import { isObject, type Json } from '../json.js';
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
  return {
    driver: spec['driver'] === 'docker' ? 'docker' : 'wasm',
    image: typeof image === 'string' ? image : null,
    limits,
    ...(mounts.length === 0 ? {} : { mounts }),
  };
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

const LIMITS = ['timeoutMs', 'memoryMiB', 'cpus', 'cpuMs', 'pids', 'diskMiB', 'outputBytes'] as const;

/** A sandbox has no network: what asks for one is refused, whatever the driver. */
export function unsupportedSandbox(error: ErrorObject, at: Segments): Finding | null {
  const title = (error.parentSchema as { title?: unknown } | undefined)?.title;
  if (title !== 'Sandbox network') return null;
  return {
    code: 'DOC_UNSUPPORTED',
    message: 'this version runs sandboxes without network only',
    hint: 'write network: none, or leave it out',
    at,
  };
}

const ABSOLUTE = /^(?:\/(?!\.{1,2}(?:\/|$))[^/]{1,255}){1,100}$/;

/** What no driver can keep, and contradictions the schema can't say. `at` is the sandbox field. */
export function checkSandbox(value: Json | undefined, at: Segments, findings: Findings): void {
  if (!isObject(value)) return;
  const { driver, image, mounts } = value;
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

/** Contradictions the schema can't say. `at` is the approval field. */
export function checkApproval(spec: ApprovalSpec | null, at: Segments, findings: Findings): void {
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
