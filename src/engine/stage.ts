// What a state of dialect 2 needs to know of its data at one stage of its life. In JSONPath it is worked out here; in
// JSONata it is a Query, and the cursor waits for the answer. Either way the same values come out.
import { readText } from '../expression/intrinsic.js';
import { parsePath, readPath, readWaitPath, writePath } from '../expression/path.js';
import { fillPayload } from '../expression/payload-template.js';
import type { Sources } from '../expression/sources.js';
import type { Json, JsonObject } from '../json.js';
import type { Amount, ChoiceNode, Each, Flow, PathFlow, PlanNode, Wording } from '../workflow/plan.js';
import type { Values } from './amount.js';
import { withinLimits } from './data-limit.js';
import type { Frame, Stage } from './state.js';

export type Trace = (stage: string, value: Json, node?: string) => void;

export function flowOf(node: PlanNode): Flow | null {
  if (node.kind === 'fail') return null;
  const { flow } = node;
  return flow === null || flow.language === 'template' ? null : flow;
}

/** JSONata: by the name of the field as AWS spells it, what is to be evaluated. */
export function fieldsAt(node: PlanNode, stage: Stage): Values {
  const flow = flowOf(node);
  switch (stage.name) {
    case 'enter':
      return enterFields(node, flow);
    case 'choose':
      return present({ Condition: node.kind === 'choice' ? queryOf(node, stage.index) : undefined });
    case 'select':
    case 'item':
      return present({ ItemSelector: eachOf(node)?.selector });
    case 'leave': {
      const from = node.kind === 'choice' && stage.index !== null ? node.choices[stage.index] : flow;
      const own = from !== null && from !== undefined && 'output' in from ? from.output : undefined;
      return present({ Output: own, Assign: from?.assign });
    }
    case 'catch': {
      const catcher = 'catch' in node ? node.catch[stage.index ?? 0] : undefined;
      return present({ Output: catcher?.output, Assign: catcher?.assign });
    }
  }
}

/** Where the fields of a stage stand in their state. */
export function prefixAt(node: PlanNode, { name, index }: Stage): string {
  if (index === null) return '';
  if (name === 'catch') return `Catch[${index}]/`;
  return name === 'choose' || (name === 'leave' && node.kind === 'choice') ? `Choices[${index}]/` : '';
}

function enterFields(node: PlanNode, flow: Flow | null): Values {
  const given = flow?.language === 'jsonata' ? flow.arguments : undefined;
  switch (node.kind) {
    case 'task':
      return present({
        Arguments: given,
        TimeoutSeconds: query(node.limits?.timeout),
        HeartbeatSeconds: query(node.limits?.heartbeat),
        Credentials: node.credentials,
      });
    case 'fork': {
      const each = eachOf(node);
      if (each === null) return present({ Arguments: given });
      const { items } = each;
      return present({
        Items: items.kind === 'value' ? items.value : undefined,
        'ItemReader/Arguments': items.kind === 'reader' ? items.reader.parameters : undefined,
        'ItemBatcher/BatchInput': each.distributed?.batcher?.batchInput,
        'ResultWriter/Arguments': each.distributed?.writer?.parameters,
        ...Object.fromEntries(amountsOf(each).map(([field, amount]) => [field, query(amount)])),
      });
    }
    case 'wait':
      return 'seconds' in node.until
        ? present({ Seconds: query(node.until.seconds) })
        : present({ Timestamp: 'query' in node.until.timestamp ? node.until.timestamp.query : undefined });
    case 'fail':
      return present({ Error: queried(node.error), Cause: queried(node.cause) });
    case 'choice':
    case 'pass':
    case 'succeed':
      return {};
  }
}

/** JSONPath: the same values, worked out at once. Throws what the expressions throw. */
export function pathValues(
  node: PlanNode,
  flow: PathFlow | null,
  frame: Frame,
  stage: Stage,
  sources: (input: Json) => Sources,
  trace: Trace | null,
): Values {
  switch (stage.name) {
    case 'enter':
      return enterValues(node, flow, frame, sources, trace);
    case 'leave':
      return leaveValues(node, flow, frame, stage, sources, trace);
    case 'catch': {
      const catcher = 'catch' in node ? node.catch[stage.index ?? 0] : undefined;
      const held = stage.held ?? null;
      const Output = place(catcher?.resultPath ?? null, frame.data, held);
      return present({ Output, Assign: filled(catcher?.assign, sources(held)) });
    }
    case 'item':
    case 'select':
    case 'choose':
      return {};
  }
}

function enterValues(
  node: PlanNode,
  flow: PathFlow | null,
  frame: Frame,
  sources: (input: Json) => Sources,
  trace: Trace | null,
): Values {
  if (node.kind === 'fail') {
    const own = sources(frame.data);
    const worded = (wording: Wording | null): Json | undefined =>
      wording !== null && 'path' in wording ? readText(wording.path, own) : undefined;
    return present({ Error: worded(node.error), Cause: worded(node.cause) });
  }
  const selected = select(flow?.inputPath, frame.data, sources);
  trace?.('afterInputPath', selected);
  const own = sources(selected);
  const path = (amount: Amount | null | undefined): Json | undefined =>
    typeof amount === 'object' && amount !== null && 'path' in amount
      ? readPath(parsePath(amount.path), own)
      : undefined;
  switch (node.kind) {
    case 'task': {
      const Arguments = parametersOf(flow, selected, own, trace);
      return present({
        Arguments,
        TimeoutSeconds: path(node.limits?.timeout),
        HeartbeatSeconds: path(node.limits?.heartbeat),
        Credentials: filled(node.credentials, own),
      });
    }
    case 'fork': {
      const each = eachOf(node);
      if (each === null) return { Arguments: parametersOf(flow, selected, own, trace) };
      const { items } = each;
      return present({
        Arguments: selected,
        Items: items.kind === 'path' ? readPath(parsePath(items.path), own) : undefined,
        'ItemReader/Arguments': items.kind === 'reader' ? filled(items.reader.parameters, own) : undefined,
        'ItemBatcher/BatchInput': filled(each.distributed?.batcher?.batchInput, own),
        'ResultWriter/Arguments': filled(each.distributed?.writer?.parameters, own),
        ...Object.fromEntries(amountsOf(each).map(([field, amount]) => [field, path(amount)])),
      });
    }
    case 'wait': {
      const { until } = node;
      if ('seconds' in until) {
        const { seconds } = until;
        const isPath = typeof seconds === 'object' && 'path' in seconds;
        return present({
          Seconds: isPath ? readWaitPath('SecondsPath', parsePath(seconds.path), own) : undefined,
        });
      }
      const { timestamp } = until;
      return present({
        Timestamp:
          'path' in timestamp ? readWaitPath('TimestampPath', parsePath(timestamp.path), own) : undefined,
      });
    }
    case 'choice':
    case 'pass':
    case 'succeed':
      return {};
  }
}

function leaveValues(
  node: PlanNode,
  flow: PathFlow | null,
  frame: Frame,
  stage: Stage,
  sources: (input: Json) => Sources,
  trace: Trace | null,
): Values {
  const assign =
    node.kind === 'choice' && stage.index !== null ? node.choices[stage.index]?.assign : flow?.assign;
  if (node.kind === 'choice' || node.kind === 'wait' || node.kind === 'succeed') {
    const input = select(flow?.inputPath, frame.data, sources);
    if (trace !== null && node.kind !== 'choice') trace('afterInputPath', input);
    return present({
      Output: select(flow?.outputPath, input, sources),
      Assign: filled(assign, sources(input)),
    });
  }
  const result =
    node.kind === 'pass' ? passResult(node.result, flow, frame, sources, trace) : (stage.held ?? null);
  const chosen =
    flow?.resultSelector === undefined ? result : fillPayload(flow.resultSelector, sources(result));
  trace?.('afterResultSelector', chosen);
  const merged = place(flow?.resultPath ?? null, frame.data, chosen);
  trace?.('afterResultPath', merged);
  return present({
    Output: select(flow?.outputPath, merged, sources),
    Assign: filled(assign, sources(chosen)),
  });
}

function passResult(
  result: Json | undefined,
  flow: PathFlow | null,
  frame: Frame,
  sources: (input: Json) => Sources,
  trace: Trace | null,
): Json {
  // As AWS's TestState: a result that is written down shows nothing of what came before it.
  const seen = result === undefined ? trace : null;
  const selected = select(flow?.inputPath, frame.data, sources);
  seen?.('afterInputPath', selected);
  const given = parametersOf(flow, selected, sources(selected), seen);
  if (result !== undefined) trace?.('result', result);
  return result === undefined ? given : result;
}

function parametersOf(flow: PathFlow | null, input: Json, sources: Sources, trace: Trace | null): Json {
  const filledIn = flow?.parameters === undefined ? input : fillPayload(flow.parameters, sources);
  trace?.('afterParameters', filledIn);
  return filledIn;
}

/** inputPath and outputPath: null gives `{}` (ASL), undefined everything. */
export function select(
  path: string | null | undefined,
  value: Json,
  sources: (input: Json) => Sources,
): Json {
  if (path === '$' || path === undefined) return value;
  return path === null ? {} : readPath(parsePath(path), sources(value));
}

/** resultPath: null discards the result (ASL). */
export function place(path: string | null, document: Json, result: Json): Json {
  if (path === '$') return withinLimits(result);
  return path === null ? document : withinLimits(writePath(parsePath(path), document, result));
}

function filled(template: Json | undefined, sources: Sources): Json | undefined {
  return template === undefined ? undefined : fillPayload(template, sources);
}

/** The lane of a Map. */
export function eachOf(node: PlanNode): Each | null {
  return node.kind === 'fork' && node.form === 'map' ? (node.lanes[0]?.each ?? null) : null;
}

/** Numbers of a Map, by field. */
function amountsOf(each: Each): readonly (readonly [string, Amount | null])[] {
  const { distributed, items } = each;
  return [
    ['MaxConcurrency', each.concurrency],
    ['ToleratedFailureCount', distributed?.toleratedCount ?? null],
    ['ToleratedFailurePercentage', distributed?.toleratedPercentage ?? null],
    ['MaxItemsPerBatch', distributed?.batcher?.maxItems ?? null],
    ['MaxInputBytesPerBatch', distributed?.batcher?.maxInputBytes ?? null],
    ['MaxItems', items.kind === 'reader' ? items.reader.config.maxItems : null],
  ];
}

function query(amount: Amount | null | undefined): Json | undefined {
  return typeof amount === 'object' && amount !== null && 'query' in amount ? amount.query : undefined;
}

function queried(wording: Wording | null): Json | undefined {
  return wording !== null && 'query' in wording ? wording.query : undefined;
}

function queryOf(node: ChoiceNode, index: number | null): Json | undefined {
  const rule = node.choices[index ?? 0]?.rule;
  return rule !== undefined && 'query' in rule ? rule.query : undefined;
}

function present(values: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}

/** Is there an expression anywhere in it? */
export function hasQuery(value: Json): boolean {
  if (typeof value === 'string') return value.startsWith('{%') && value.endsWith('%}');
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some((one: Json) => hasQuery(one));
}
