// Dialect 2 (states-dialect sections 1, 2, 10, 15): a state machine in native or plain States Language form becomes a
// plan. One pass finds everything; the plan exists only when nothing is wrong.
import { BLOCKED_NAMES } from '../../expression/names.js';
import { nearest } from '../../expression/nearest.js';
import { timestampNs } from '../../expression/timestamp.js';
import { isList } from '../../expression/value.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Finding, Findings } from '../diagnostic.js';
import { resolveFunction } from '../functions.js';
import { approvalSpec, checkApproval, checkSandbox, sandboxSpec } from '../gate.js';
import { checkInputsSchema } from '../input.js';
import { field, type Located, offsetOf, pathText, type Segments, toJson } from '../located.js';
import type { Call, ChoiceNode, Plan, PlanNode, TaskNode, WaitNode } from '../plan.js';
import { checkShape, type Translate } from '../shape.js';
import { workflowSlug } from '../steps/names.js';
import { parseAgentReference } from './agent-reference.js';
import { catchersOf, retriersOf } from './errors.js';
import { checkFlow } from './flow.js';
import { checkPath, pathField } from './path.js';
import { ruleOf } from './rule.js';
import { machineSpelling, nativeSpelling } from './spelling.js';
import { refusal, unsupported } from './unsupported.js';

/** Longest state name, in code points. */
const STATE_NAME_MAX = 80;

export interface StatesOptions {
  readonly functions: ReadonlySet<string>;
  /** `native`: agentrc.workflow/v0.1. `asl`: a plain States Language document. */
  readonly form: 'native' | 'asl';
  /** File name, for the id of a plain document, which has none. */
  readonly file: string | null;
}

/** The plan of a state machine; null when a finding is an error. */
export function compileStates(written: Located, options: StatesOptions, findings: Findings): Plan | null {
  const native = options.form === 'native';
  const root = native ? nativeSpelling(written, findings) : machineSpelling(written, findings);
  findings.locateIn(root);
  const at: Segments = native ? ['spec'] : [];
  const document = objectOf(toJson(root));
  const machine = native ? objectOf(document['spec']) : document;
  const jsonata = jsonataPlaces(machine, at);
  const schema = native ? 'states' : 'states#/$defs/machine';
  checkShape(root, schema, findings, [], translator(jsonata));
  const inputs = field(native ? field(root, 'spec')?.value : root, 'inputs')?.value;
  if (inputs?.kind === 'map') checkInputsSchema(inputs, [...at, 'inputs'], findings);
  checkFlow(machine, at, findings);
  const compiler = new StateCompiler(root, at, options.functions, findings);
  const nodes = Object.entries(objectOf(machine['states'])).map(
    ([name, state]): [string, PlanNode | null] => [
      name,
      jsonata.has(pathText([...at, 'states', name])) ? null : compiler.compile(name, objectOf(state)),
    ],
  );
  const valid = nodes.filter((entry): entry is [string, PlanNode] => entry[1] !== null);
  if (findings.hasErrors() || valid.length < nodes.length) return null;
  const metadata = objectOf(document['metadata']);
  const id = native ? text(metadata['name']) : idOfFile(options.file);
  const timeoutSeconds = machine['timeoutSeconds'];
  return {
    v: 2,
    dialect: 'states',
    id,
    name: id,
    description: text(metadata['description']) || text(machine['comment']),
    start: text(machine['startAt']),
    nodes: Object.fromEntries(valid),
    inputs: machine['inputs'] ?? null,
    ceilings: machine['ceilings'] ?? null,
    timeoutMs: typeof timeoutSeconds === 'number' ? timeoutSeconds * 1000 : null,
    agents: [],
    onMissing: 'error',
  };
}

// A JSONata state is refused as a whole; its fields have another meaning, so nothing else is said about them.
function jsonataPlaces(machine: JsonObject, at: Segments): ReadonlySet<string> {
  const states = Object.entries(objectOf(machine['states']));
  return new Set(
    states
      .filter(([, state]) => (objectOf(state)['queryLanguage'] ?? machine['queryLanguage']) === 'JSONata')
      .map(([name]) => pathText([...at, 'states', name])),
  );
}

function translator(jsonata: ReadonlySet<string>): Translate {
  return (error, at) => {
    const finding = unsupported(error, at);
    const state = pathText(at.slice(0, at.indexOf('states') + 2));
    return finding === null && jsonata.has(state) ? 'skip' : finding;
  };
}

class StateCompiler {
  constructor(
    private readonly root: Located,
    private readonly machine: Segments,
    private readonly functions: ReadonlySet<string>,
    private readonly findings: Findings,
  ) {}

  /** null when the schema has refused the state's type. */
  compile(name: string, state: JsonObject): PlanNode | null {
    const at = [...this.machine, 'states', name];
    this.checkName(name, at);
    this.checkPaths(state, at);
    const base = { name, ...this.findings.place(offsetOf(this.root, at, 'key')) };
    const io = { inputPath: pathField(state['inputPath']), outputPath: pathField(state['outputPath']) };
    switch (text(state['type'])) {
      case 'Task':
        return this.task(base, state, at, io);
      case 'Choice':
        return this.choice(base, state, at, io);
      case 'Pass': {
        const result = state['result'];
        return {
          ...base,
          kind: 'pass',
          ...io,
          ...(result === undefined ? {} : { result }),
          resultPath: pathField(state['resultPath']),
          next: this.next(state, at),
        };
      }
      case 'Wait':
        return { ...base, kind: 'wait', ...io, until: this.until(state, at), next: this.next(state, at) };
      case 'Succeed':
        return { ...base, kind: 'succeed', ...io };
      case 'Fail': {
        const { error, cause } = state;
        return {
          ...base,
          kind: 'fail',
          error: typeof error === 'string' ? error : null,
          cause: typeof cause === 'string' ? cause : null,
        };
      }
      default:
        return null;
    }
  }

  private task(
    base: Pick<TaskNode, 'name' | 'line' | 'column'>,
    state: JsonObject,
    at: Segments,
    io: { readonly inputPath: string | null; readonly outputPath: string | null },
  ): TaskNode | null {
    const target = this.call(state, at);
    const approval = approvalSpec(state['approval']);
    checkApproval(approval, [...at, 'approval'], this.findings);
    checkSandbox(state['sandbox'], [...at, 'sandbox'], this.findings);
    const retry = retriersOf(state['retry'], [...at, 'retry'], this.findings);
    const catchers = catchersOf(state['catch'], [...at, 'catch'], this.findings);
    catchers.forEach((catcher, i) => {
      checkPath(catcher.resultPath, [...at, 'catch', i, 'resultPath'], this.findings, 'result');
    });
    const { timeoutSeconds } = state;
    const next = this.next(state, at);
    if (target === null) return null;
    return {
      ...base,
      kind: 'task',
      call: target.call,
      when: null,
      input: { kind: 'path', inputPath: io.inputPath },
      output: { kind: 'path', resultPath: pathField(state['resultPath']), outputPath: io.outputPath },
      loop: null,
      collects: false,
      timeoutMs: typeof timeoutSeconds === 'number' ? timeoutSeconds * 1000 : null,
      retry,
      catch: catchers,
      onFailure: 'fail',
      approval,
      sandbox: sandboxSpec(state['sandbox'] ?? target.sandbox ?? undefined),
      idempotent: state['idempotent'] === true,
      next,
    };
  }

  private call(
    state: JsonObject,
    at: Segments,
  ): { readonly call: Call; readonly sandbox: string | null } | null {
    const { agent, resource } = state;
    if (agent !== undefined && resource !== undefined) {
      return this.wrong(
        'a Task has both "agent" and "resource"',
        'keep one of them',
        [...at, 'resource'],
        true,
      );
    }
    if (typeof agent === 'string') {
      const reference = parseAgentReference(agent, [...at, 'agent']);
      if ('code' in reference) return this.report(reference);
      return { call: { kind: 'agent', ...reference }, sandbox: null };
    }
    if (typeof resource === 'string') return this.resource(state, resource, [...at, 'resource']);
    if (agent === undefined && resource === undefined && state['human'] === undefined) {
      this.findings.add({
        code: 'DOC_MISSING_FIELD',
        message: 'a Task has neither "agent" nor "resource"',
        hint: 'add agent: name@sha256:<64 hex digits>, or resource: <function id>',
        at,
        onKey: true,
      });
    }
    return null;
  }

  private resource(
    state: JsonObject,
    resource: string,
    at: Segments,
  ): { readonly call: Call; readonly sandbox: string | null } | null {
    const suffix = /\.(?:waitForTaskToken|sync)(?::\d+)?$/.exec(resource)?.[0];
    if (suffix !== undefined) return this.report(refusal(`resources with ${suffix}`, at, false));
    const { functionId, handId, sandbox } = resolveFunction(resource);
    if (handId !== null) {
      const hint = `call hand::run and give handId in the state's input`;
      return this.report(refusal('hand::run::<id> as a resource', at, false, hint));
    }
    if (!this.functions.has(functionId)) {
      const arn = resource.startsWith('arn:');
      return this.report({
        code: 'DOC_UNKNOWN_FUNCTION',
        message: `resource ${JSON.stringify(resource.slice(0, 200))} is no registered function`,
        hint: arn
          ? 'an AWS resource can not be called here; name a registered function'
          : (nearest(resource, this.functions) ?? `registered: ${[...this.functions].sort().join(', ')}`),
        at,
      });
    }
    const driver = isObject(state['sandbox']) ? state['sandbox']['driver'] : state['sandbox'];
    if (sandbox !== null && driver !== undefined && driver !== sandbox) {
      return this.wrong(
        `${resource} means sandbox ${sandbox}, the state says otherwise`,
        'take sandbox out',
        at,
      );
    }
    return { call: { kind: 'function', functionId, agent: null, fallback: null }, sandbox };
  }

  private choice(
    base: Pick<ChoiceNode, 'name' | 'line' | 'column'>,
    state: JsonObject,
    at: Segments,
    io: { readonly inputPath: string | null; readonly outputPath: string | null },
  ): ChoiceNode {
    const list: Json = state['choices'] ?? [];
    const choices: { rule: NonNullable<ReturnType<typeof ruleOf>>; next: string }[] = [];
    for (const [i, item] of (isList(list) ? list : []).entries()) {
      const place = [...at, 'choices', i];
      const rule = ruleOf(item, place, true, this.findings);
      const next = isObject(item) ? item['next'] : undefined;
      if (isObject(item) && next === undefined) {
        const message = 'a top-level rule has no "next"';
        this.findings.add({ code: 'DOC_MISSING_FIELD', message, at: place });
      }
      if (rule !== null && typeof next === 'string') choices.push({ rule, next });
    }
    const otherwise = state['default'];
    if (otherwise === undefined) {
      this.findings.add({
        code: 'DOC_MISSING_FIELD',
        severity: 'warning',
        message: `Choice ${JSON.stringify(base.name)} has no "default"; the run fails when no rule is true`,
        hint: 'add default: <state>',
        at,
        onKey: true,
      });
    }
    return {
      ...base,
      kind: 'choice',
      ...io,
      choices,
      default: typeof otherwise === 'string' ? otherwise : null,
    };
  }

  private until(state: JsonObject, at: Segments): WaitNode['until'] {
    const { seconds, secondsPath, timestamp, timestampPath } = state;
    const given = ['seconds', 'secondsPath', 'timestamp', 'timestampPath'].filter(
      (name) => state[name] !== undefined,
    );
    if (given.length !== 1) {
      const found = given.length === 0 ? 'none' : given.join(' and ');
      this.wrong(
        `a Wait has ${found} of seconds, secondsPath, timestamp, timestampPath`,
        'give it exactly one',
        at,
        true,
      );
    }
    checkPath(secondsPath, [...at, 'secondsPath'], this.findings);
    checkPath(timestampPath, [...at, 'timestampPath'], this.findings);
    if (typeof timestamp === 'string' && timestampNs(timestamp) === null) {
      const message = `timestamp ${JSON.stringify(timestamp.slice(0, 60))} is not RFC 3339 with an offset`;
      this.wrong(message, 'such as 2026-01-31T09:00:00Z', [...at, 'timestamp']);
    }
    if (typeof secondsPath === 'string') return { secondsPath };
    if (typeof timestamp === 'string') return { timestamp };
    if (typeof timestampPath === 'string') return { timestampPath };
    return { seconds: typeof seconds === 'number' ? seconds : 0 };
  }

  private next(state: JsonObject, at: Segments): string | null {
    const { next, end } = state;
    if (next !== undefined && end === true) {
      this.wrong('a state has both "next" and "end: true"', 'keep one of them', [...at, 'end'], true);
    }
    if (next === undefined && end !== true) {
      this.findings.add({
        code: 'DOC_MISSING_FIELD',
        message: 'a state has neither "next" nor "end: true"',
        hint: 'add next: <state>, or end: true',
        at,
        onKey: true,
      });
    }
    return typeof next === 'string' ? next : null;
  }

  private checkName(name: string, at: Segments): void {
    const length = [...name].length;
    if (length > STATE_NAME_MAX) {
      this.wrong(
        `a state name has ${length} characters, the limit is ${STATE_NAME_MAX}`,
        'shorten it',
        at,
        true,
      );
    }
    if (BLOCKED_NAMES.has(name)) this.wrong(`a state can't be called ${name}`, 'rename it', at, true);
  }

  private checkPaths(state: JsonObject, at: Segments): void {
    checkPath(state['inputPath'], [...at, 'inputPath'], this.findings);
    checkPath(state['outputPath'], [...at, 'outputPath'], this.findings);
    checkPath(state['resultPath'], [...at, 'resultPath'], this.findings, 'result');
  }

  private wrong(message: string, hint: string, at: Segments, onKey = false): null {
    return this.report({ code: 'DOC_BAD_VALUE', message, hint, at, onKey });
  }

  private report(finding: Finding): null {
    this.findings.add(finding);
    return null;
  }
}

function idOfFile(file: string | null): string {
  const name = (file ?? '').split(/[/\\]/).at(-1) ?? '';
  return workflowSlug(name.replace(/(?:\.asl)?\.(?:json|ya?ml)$/i, '')) || 'workflow';
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
