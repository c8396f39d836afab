// The data of a state of dialect 2 at the stages of its life: worked out at once in JSONPath, asked for in JSONata, and what
// follows from the values either way.
import { WritError } from '../errors.js';
import { evaluateChoice } from '../expression/choice.js';
import type { Sources } from '../expression/sources.js';
import type { Json } from '../json.js';
import type { ChoiceNode, FailNode, PlanNode, Wording } from '../workflow/plan.js';
import { amountIn, given, unexpected, type Values } from './amount.js';
import { itemLimit, mapState } from './map-items.js';
import { contextOf } from './context.js';
import { withinBytes, withinLimits } from './data-limit.js';
import { waitUntilMs } from './node-data.js';
import { pathValues, select } from './path-stage.js';
import { eachOf, fieldsAt, flowOf, hasQuery } from './stage.js';
import type { Ask, Frame, Stage } from './state.js';
import { assigned, variableOf } from './variables.js';
import type { Walk } from './walk.js';

const ENTER: Stage = { name: 'enter', index: null };
const LEAVE: Stage = { name: 'leave', index: null };

export class StateData {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  staging(node: PlanNode, frame: Frame, stage: Stage): Frame | null {
    return this.#walk.failures.tried(node, frame, stage, () => this.stage(node, frame, stage));
  }

  /** Works out what the stage needs and goes on; a cursor that needs an expression evaluated waits for it. */
  stage(node: PlanNode, frame: Frame, stage: Stage): Frame | null {
    const flow = flowOf(node);
    const isQuery = flow?.language === 'jsonata' || (node.kind === 'fail' && isQueried(node));
    if (!isQuery) {
      const state = {
        node,
        flow: flow?.language === 'jsonpath' ? flow : null,
        frame,
        sources: (input: Json) => this.sources(frame, input),
        trace: this.#walk.trace,
      };
      return this.staged(node, frame, stage, pathValues(state, stage));
    }
    const fields = fieldsAt(node, stage);
    return hasQuery(fields) ? this.inquire(frame, 'query', stage) : this.staged(node, frame, stage, fields);
  }

  inquire(frame: Frame, kind: Ask['kind'], stage: Stage): Frame {
    const { head } = this.#walk.tree;
    const at = head.asked + 1;
    this.#walk.tree.head = { ...head, asked: at };
    return { ...frame, ask: { kind, at, ...stage } };
  }

  sources(frame: Frame, input: Json): Sources {
    const tree = this.#walk.tree;
    return {
      input,
      context: () => contextOf(this.#walk.plan, tree, frame),
      variable: (name) => variableOf(tree, frame, name),
      random: () => tree.random(),
    };
  }

  staged(node: PlanNode, frame: Frame, stage: Stage, values: Values): Frame | null {
    switch (stage.name) {
      case 'enter':
        return this.#entered(node, frame, values);
      case 'choose': {
        const value = values['Condition'] ?? null;
        if (node.kind !== 'choice') break;
        const index = stage.index ?? 0;
        if (typeof value === 'boolean')
          return value ? this.#leaveBy(node, frame, index) : this.#query(node, frame, index + 1);
        const rule = node.choices[index]?.rule;
        const query = rule !== undefined && 'query' in rule ? String(rule.query) : '';
        throw unexpected(query, `Choices[${index}]/Condition`, 'boolean', value);
      }
      case 'item':
        return { ...frame, selects: false, data: given(values, 'ItemSelector', frame.data) };
      case 'select':
        if (node.kind === 'fork') return this.#walk.maps.selected(node, frame, stage, values);
        break;
      case 'leave':
        return this.#leave(node, frame, stage, values);
      case 'catch': {
        const catcher = 'catch' in node ? node.catch[stage.index ?? 0] : undefined;
        if (catcher !== undefined) return this.#left(node, frame, stage, values, catcher.next);
      }
    }
    throw new WritError('INTERNAL', `"${node.name}" has no stage ${stage.name}`);
  }

  #entered(node: PlanNode, frame: Frame, values: Values): Frame | null {
    switch (node.kind) {
      case 'task': {
        const input = this.#arguments(node, frame, values);
        const timeout = amountIn(node.limits?.timeout, 'TimeoutSeconds', values);
        const heartbeat = amountIn(node.limits?.heartbeat, 'HeartbeatSeconds', values);
        const limits = {
          timeoutMs: timeout === null ? node.timeoutMs : timeout * 1000,
          heartbeatMs: heartbeat === null ? null : heartbeat * 1000,
        };
        return this.#walk.beginAttempt(frame, input, { limits });
      }
      case 'fork': {
        const each = eachOf(node);
        if (each === null) {
          const input = this.#arguments(node, frame, values);
          return this.#walk.forks.open(node, frame, { input, items: node.lanes.map(() => null) });
        }
        // What is wrong with its bounds is said before anything is read.
        mapState(each, values, null);
        if (each.items.kind !== 'reader')
          return this.#walk.maps.items(node, frame, values, given(values, 'Items', frame.data));
        itemLimit(each.items.reader, values);
        return this.inquire(frame, 'read', { ...ENTER, held: values });
      }
      case 'wait': {
        const untilMs = waitUntilMs(node, values, this.#walk.nowMs);
        return untilMs > this.#walk.nowMs ? { ...frame, wakeAtMs: untilMs } : this.stage(node, frame, LEAVE);
      }
      case 'fail': {
        const name = worded(node.error, 'Error', values);
        const message = worded(node.cause, 'Cause', values);
        return this.#walk.failures.failCursor(frame, { name, code: 'STEP_FAILED', kind: 'failure', message });
      }
      case 'choice':
      case 'pass':
      case 'succeed':
        throw new WritError('INTERNAL', `"${node.name}" has nothing to enter`);
    }
  }

  #arguments(node: PlanNode, frame: Frame, values: Values): Json {
    const input = this.fitting(node, given(values, 'Arguments', frame.data));
    const isGiven = flowOf(node)?.language === 'jsonata' && 'Arguments' in values;
    if (isGiven) this.#walk.trace?.('afterArguments', input);
    return input;
  }

  choose(node: ChoiceNode, frame: Frame): Frame | null {
    if (node.flow.language === 'jsonata') return this.#query(node, frame, 0);
    const input = select(node.flow.inputPath, frame.data, (value) => this.sources(frame, value));
    this.#walk.trace?.('afterInputPath', input);
    const sources = this.sources(frame, input);
    const index = node.choices.findIndex(({ rule }) => !('query' in rule) && evaluateChoice(rule, sources));
    return this.#leaveBy(node, frame, index < 0 ? null : index);
  }

  /** JSONata: one condition after the other, for a later one may be wrong where an earlier one is true. */
  #query(node: ChoiceNode, frame: Frame, index: number): Frame | null {
    return index < node.choices.length
      ? this.stage(node, frame, { name: 'choose', index })
      : this.#leaveBy(node, frame, null);
  }

  #leaveBy(node: ChoiceNode, frame: Frame, index: number | null): Frame | null {
    if (index === null && node.default === null) {
      throw new WritError(
        'STEP_NO_CHOICE',
        'Failed to transition out of the state. The state does not point to a next state.',
      );
    }
    return this.stage(node, frame, { name: 'leave', index });
  }

  #leave(node: PlanNode, frame: Frame, stage: Stage, values: Values): Frame | null {
    switch (node.kind) {
      case 'choice': {
        const chosen = stage.index === null ? node.default : (node.choices[stage.index]?.next ?? null);
        return this.#left(node, frame, stage, values, chosen);
      }
      case 'succeed':
      case 'fail':
        return this.#left(node, frame, stage, values, null);
      case 'task':
      case 'fork':
      case 'pass':
      case 'wait':
        return this.#left(node, frame, stage, values, node.next);
    }
  }

  #left(node: PlanNode, frame: Frame, stage: Stage, values: Values, next: string | null): Frame | null {
    const data = given(values, 'Output', stage.held ?? passed(node) ?? frame.data);
    const gone = assigned(frame, values['Assign']);
    if ('Assign' in values) this.#walk.trace?.('variables', gone.variables);
    this.#walk.event(frame); // …StateExited
    return this.#walk.next({ ...gone, data: this.fitting(node, data) }, next);
  }

  fitting(node: PlanNode, value: Json): Json {
    return withinBytes(node.name, withinLimits(value), this.#walk.plan.maxDataBytes);
  }
}

/** The result of a Pass in JSONata is what its output says, or its input. */
function passed(node: PlanNode): Json | undefined {
  return node.kind === 'pass' ? node.result : undefined;
}

function isQueried({ error, cause }: FailNode): boolean {
  return [error, cause].some((wording) => wording !== null && 'query' in wording);
}

function worded(wording: Wording | null, field: 'Error' | 'Cause', values: Values): string {
  if (wording === null) return '';
  if ('text' in wording) return wording.text;
  const value = values[field];
  if (typeof value === 'string') return value;
  if ('query' in wording) throw unexpected(wording.query, field, 'string', value ?? null);
  throw new WritError('STEP_PATH_UNRESOLVED', `The value at ${wording.path} must be a string.`);
}
