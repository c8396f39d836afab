// One state as a node of the plan. The states inside a Parallel or a Map are compiled by their scope.
import { timestampNs } from '../../expression/timestamp.js';
import type { ForkNode, PlanNode, WaitNode } from '../plan.js';
import { unknownField } from '../shape.js';
import { flowOf } from './data-flow.js';
import type { DocumentFacts } from './document-facts.js';
import { catchersOf, retriersOf } from './errors.js';
import type { Fields } from './fields.js';
import { mapOf } from './map.js';
import { isQuery } from './query-text.js';
import { alternativesOf } from './rule.js';
import { entryApprovalOf, type NodeBase, taskOf } from './task.js';

export interface StateOptions {
  readonly document: DocumentFacts;
  /** Nothing waits here: an EXPRESS machine, or the items of one. */
  readonly express: boolean;
}

/** null when a finding says why there is no node. */
export function stateOf(base: NodeBase, state: Fields, options: StateOptions): PlanNode | null {
  switch (state.text('type') ?? '') {
    case 'Task':
      return taskOf(base, state, nextOf(state), options);
    case 'Choice': {
      const choices = alternativesOf(state);
      if (!state.has('default')) warnOfNoDefault(state, base.name);
      return { ...base, kind: 'choice', flow: flowOf(state), choices, default: state.text('default') };
    }
    case 'Pass': {
      const { result } = state.values;
      const next = nextOf(state);
      const given = result === undefined || state.language === 'jsonata' ? {} : { result };
      return { ...base, kind: 'pass', flow: flowOf(state), ...entryApprovalOf(state), ...given, next };
    }
    case 'Wait': {
      const until = untilOf(state);
      const next = nextOf(state);
      const flow = flowOf(state);
      return until === null ? null : { ...base, kind: 'wait', flow, until, next };
    }
    case 'Succeed':
      return { ...base, kind: 'succeed', flow: flowOf(state) };
    case 'Fail':
      state.checkLanguage();
      return {
        ...base,
        kind: 'fail',
        error: state.wording('error', 'text'),
        cause: state.wording('cause', 'text'),
      };
    case 'Parallel':
      return parallelOf(base, state, nextOf(state));
    case 'Map':
      return mapOf(base, state, nextOf(state), options.express);
    default:
      return null; // the schema has said so
  }
}

function parallelOf(base: NodeBase, state: Fields, next: string | null): ForkNode {
  const lanes = state.each('branches').map((branch) => {
    if (branch.has('processorConfig')) {
      branch.findings.add(unknownField('processorConfig', branch.at, ['startAt', 'states', 'comment']));
    }
    return { start: branch.text('startAt') ?? '', each: null };
  });
  const flow = flowOf(state);
  const gate = entryApprovalOf(state);
  const retry = retriersOf(state);
  return {
    ...base,
    kind: 'fork',
    form: 'parallel',
    lanes,
    flow,
    ...gate,
    retry,
    catch: catchersOf(state),
    next,
  };
}

const UNTIL = ['seconds', 'secondsPath', 'timestamp', 'timestampPath'];

function untilOf(state: Fields): WaitNode['until'] | null {
  const given = UNTIL.filter((name) => state.has(name));
  if (given.length !== 1) {
    const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`);
    const found = given.length === 0 ? 'none' : quoted(given).join(' and ');
    return state.add({
      code: 'DOC_BAD_VALUE',
      message: `a Wait has ${found} of ${quoted(UNTIL).join(', ')}`,
      hint: 'give it exactly one',
      at: [],
      onKey: true,
    });
  }
  const seconds = state.amount('seconds');
  if (seconds !== null) return { seconds };
  const timestamp = state.wording('timestamp', 'one');
  if (timestamp === null) return null; // of a wrong type or language, which is told
  if ('text' in timestamp && timestampNs(timestamp.text) === null) {
    const { text } = timestamp;
    const message = `timestamp ${JSON.stringify(text.slice(0, 60))} is not RFC 3339 with an offset`;
    const hint = isQuery(text) ? 'or write queryLanguage: JSONata' : 'such as 2026-01-31T09:00:00Z';
    state.wrong(message, hint, ['timestamp']);
  }
  return { timestamp };
}

function nextOf(state: Fields): string | null {
  const { next, end } = state.values;
  if (next !== undefined && end === true) {
    state.wrong('a state has both "next" and "end: true"', 'keep one of them', ['end'], true);
  }
  if (next === undefined && end !== true) {
    state.missing('a state has neither "next" nor "end: true"', 'add next: <state>, or end: true');
  }
  return typeof next === 'string' ? next : null;
}

function warnOfNoDefault(state: Fields, name: string): void {
  state.add({
    code: 'DOC_MISSING_FIELD',
    severity: 'warning',
    message: `Choice ${JSON.stringify(name)} has no "default"; the run fails when no rule is true`,
    hint: 'add default: <state>',
    at: [],
    onKey: true,
  });
}
