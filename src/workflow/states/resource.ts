// `resource` of a Task: a registered function, or an AWS ARN whose service and action are known. What AWS accepts is
// accepted: placeholders for region and account, regions nobody has heard of.
import { nearest } from '../../expression/nearest.js';
import { resolveFunction } from '../functions.js';
import type { Call } from '../plan.js';
import type { Fields } from './fields.js';
import { SERVICES, type Waits } from './services.js';
import { refusal } from './unsupported.js';

export interface ResourceRules {
  /** Registered function ids; `any` = every id. */
  readonly functions: ReadonlySet<string> | 'any';
  /** The caller knows its functions: then an id that is not among them is an error in every form. */
  readonly isRegistry: boolean;
  readonly form: 'native' | 'compact' | 'asl';
  /** An EXPRESS machine, or the items of one: nothing waits there. */
  readonly express: boolean;
}

export interface Target {
  readonly call: Call;
  /** Driver that the id means. */
  readonly sandbox: string | null;
}

/** null when a finding says what is wrong. */
export function resourceOf(fields: Fields, resource: string, rules: ResourceRules): Target | null {
  const suffix = /\.(?:waitForTaskToken|sync(?::2)?)$/.exec(resource)?.[0] ?? '';
  const base = resource.slice(0, resource.length - suffix.length);
  const isActivity = /^arn:[^:]*:states:[^:]*:[^:]*:activity:/.test(base);
  const waits = suffix === '.waitForTaskToken' || isActivity ? 'token' : suffix === '' ? null : 'job';
  if (waits !== null && rules.express) {
    const what = isActivity ? 'activities' : `resources with ${suffix}`;
    return fields.wrong(`an EXPRESS machine does not run ${what}`, 'make it STANDARD', ['resource']);
  }
  const { functionId, handId, sandbox } = resolveFunction(base);
  if (handId !== null) {
    const hint = `call hand::run and give handId in the state's input`;
    return fields.add(refusal('hand::run::<id> as a resource', ['resource'], false, hint));
  }
  const isArn = base.startsWith('arn:');
  if (isArn && !checkArn(fields, base, suffix)) return null;
  if (!isCallable(functionId, rules)) {
    return fields.add({
      code: 'DOC_UNKNOWN_FUNCTION',
      message: `resource ${JSON.stringify(resource.slice(0, 200))} is no registered function`,
      hint: isArn
        ? 'an AWS resource can not be called here; name a registered function'
        : rules.functions === 'any'
          ? undefined
          : (nearest(base, rules.functions) ?? `registered: ${[...rules.functions].sort().join(', ')}`),
      at: ['resource'],
    });
  }
  const driver = fields.inner('sandbox')?.text('driver') ?? fields.text('sandbox');
  if (sandbox !== null && driver !== null && driver !== sandbox) {
    const message = `${resource} means sandbox ${sandbox}, the state says otherwise`;
    return fields.wrong(message, 'take sandbox out', ['resource']);
  }
  const call: Call = { kind: 'function', functionId, agent: null, fallback: null };
  return { call: waits === null ? call : { ...call, waits }, sandbox };
}

// Nobody is called before a run starts, so a plain document may name what only its author's account has: an ARN, or
// another URI. A function id of ours (`tool::…`) is known or mistyped.
function isCallable(functionId: string, rules: ResourceRules): boolean {
  if (rules.functions === 'any' || rules.functions.has(functionId)) return true;
  if (rules.isRegistry) return false;
  if (functionId.startsWith('mcp::')) return true;
  if (rules.form !== 'asl') return false;
  return functionId.startsWith('arn:') || (!functionId.includes('::') && URI.test(functionId));
}

const URI = /^[A-Za-z][A-Za-z0-9+.-]*:./;
const SERVICE_CALL = /^arn:[^:]+:states:[^:]*:[^:]*:(?!activity:|stateMachine:)(.+)$/;
const ALIAS = /^(?:\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]+|[<{].*[>}]|\$\{.*\})$/;

function checkArn(fields: Fields, arn: string, suffix: string): boolean {
  const lambda = /^arn:[^:]*:lambda:[^:]*:[^:]*:function:([^:]*)(?::(.*))?$/.exec(arn);
  if (lambda !== null) {
    const [, name = '', alias] = lambda;
    if (name !== '' && (alias === undefined || ALIAS.test(alias))) return true;
    return unknown(fields, arn, 'a Lambda function ends with its name, its version or its alias');
  }
  const [, service] = SERVICE_CALL.exec(arn) ?? [];
  return service === undefined || checkService(fields, arn, service, suffix);
}

function checkService(fields: Fields, arn: string, called: string, suffix: string): boolean {
  const sdk = /^aws-sdk:([a-z0-9]+):([a-z][A-Za-z0-9]*)(?:\.[a-z][A-Za-z0-9]*)?$/.exec(called);
  if (sdk !== null) {
    if (suffix === '' || suffix === '.waitForTaskToken') return true;
    return unknown(fields, arn + suffix, 'a call of the AWS SDK does not wait for a job');
  }
  if (called.startsWith('aws-sdk:')) return unknown(fields, arn, 'such as aws-sdk:s3:getObject');
  const [service = '', action = ''] = called.split(':');
  const actions = Object.hasOwn(SERVICES, service) ? SERVICES[service] : undefined;
  if (actions === undefined) {
    return unknown(
      fields,
      arn,
      nearest(service, Object.keys(SERVICES)) ?? 'name it as aws-sdk:<service>:<action>',
    );
  }
  const waits = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (waits === undefined || called.split(':').length > 2) {
    const hint = nearest(action, Object.keys(actions));
    return unknown(fields, arn, hint ?? `actions of ${service}: ${Object.keys(actions).join(', ')}`);
  }
  const wanted = WAITS[suffix];
  if (wanted === undefined || waits.includes(wanted)) return true;
  return unknown(fields, arn + suffix, `${service}:${action} has no ${suffix}`);
}

const WAITS: Readonly<Record<string, Waits>> = {
  '.sync': 'job',
  '.sync:2': 'job2',
  '.waitForTaskToken': 'token',
};

function unknown(fields: Fields, arn: string, hint: string): false {
  const message = `resource ${JSON.stringify(arn.slice(0, 200))} is no service integration`;
  fields.wrong(message, hint, ['resource']);
  return false;
}
