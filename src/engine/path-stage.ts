// A state of dialect 2 whose data flows by JSONPath (ASL: InputPath, Parameters, ResultSelector, ResultPath, OutputPath):
// what a Query would ask for is worked out at once.
import { readText } from '../expression/intrinsic/intrinsic.js';
import { parsePath, readPath, readWaitPath, writePath } from '../expression/path/path.js';
import { fillPayload } from '../expression/template/payload-template.js';
import type { Sources } from '../expression/sources.js';
import type { Json } from '../json.js';
import type { Amount, Each, FailNode, PathFlow, PlanNode, WaitNode, Wording } from '../workflow/plan.js';
import type { Values } from './amount.js';
import { withinLimits } from './data-limit.js';
import { amountsOf, eachOf, present, type Trace } from './stage.js';
import type { Frame, Stage } from './state.js';

/** One state at one moment. Its methods throw what the expressions throw. */
export interface PathStage {
  readonly node: PlanNode;
  readonly flow: PathFlow | null;
  readonly frame: Frame;
  readonly sources: (input: Json) => Sources;
  readonly trace: Trace | null;
}

/** By the name of the field as AWS spells it. Throws what the expressions throw. */
export function pathValues(state: PathStage, stage: Stage): Values {
  switch (stage.name) {
    case 'enter':
      return state.node.kind === 'fail' ? failValues(state, state.node) : enterValues(state);
    case 'leave':
      return leaveValues(state, stage);
    case 'catch':
      return catchValues(state, stage);
    case 'item':
    case 'select':
    case 'choose':
      return {};
  }
}

function failValues({ frame, sources }: PathStage, node: FailNode): Values {
  const own = sources(frame.data);
  const worded = (wording: Wording | null): Json | undefined =>
    wording !== null && 'path' in wording ? readText(wording.path, own) : undefined;
  return present({ Error: worded(node.error), Cause: worded(node.cause) });
}

function enterValues(state: PathStage): Values {
  const { node, flow, frame, sources, trace } = state;
  const selected = select(flow?.inputPath, frame.data, sources);
  trace?.('afterInputPath', selected);
  const own = sources(selected);
  switch (node.kind) {
    case 'task':
      return present({
        Arguments: parametersOf(state, selected, trace),
        TimeoutSeconds: amount(node.limits?.timeout, own),
        HeartbeatSeconds: amount(node.limits?.heartbeat, own),
        Credentials: filled(node.credentials, own),
      });
    case 'fork': {
      const each = eachOf(node);
      if (each === null) return { Arguments: parametersOf(state, selected, trace) };
      return present({ Arguments: selected, ...mapValues(each, own) });
    }
    case 'wait':
      return waitValues(node, own);
    case 'choice':
    case 'pass':
    case 'succeed':
    case 'fail':
      return {};
  }
}

function mapValues(each: Each, own: Sources): Readonly<Record<string, Json | undefined>> {
  const { items, distributed } = each;
  return {
    Items: items.kind === 'path' ? readPath(parsePath(items.path), own) : undefined,
    'ItemReader/Arguments': items.kind === 'reader' ? filled(items.reader.parameters, own) : undefined,
    'ItemBatcher/BatchInput': filled(distributed?.batcher?.batchInput, own),
    'ResultWriter/Arguments': filled(distributed?.writer?.parameters, own),
    ...Object.fromEntries(amountsOf(each).map(([field, number]) => [field, amount(number, own)])),
  };
}

function waitValues({ until }: WaitNode, own: Sources): Values {
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

function leaveValues(state: PathStage, { index, held = null }: Stage): Values {
  const { node, flow, frame, sources, trace } = state;
  const assign = node.kind === 'choice' && index !== null ? node.choices[index]?.assign : flow?.assign;
  if (node.kind === 'choice' || node.kind === 'wait' || node.kind === 'succeed') {
    const input = select(flow?.inputPath, frame.data, sources);
    if (node.kind !== 'choice') trace?.('afterInputPath', input);
    return present({
      Output: select(flow?.outputPath, input, sources),
      Assign: filled(assign, sources(input)),
    });
  }
  const result = node.kind === 'pass' ? passResult(state, node.result) : held;
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

function passResult(state: PathStage, written: Json | undefined): Json {
  const { flow, frame, sources, trace } = state;
  // As AWS's TestState: a result that is written down shows nothing of what came before it.
  const seen = written === undefined ? trace : null;
  const selected = select(flow?.inputPath, frame.data, sources);
  seen?.('afterInputPath', selected);
  const given = parametersOf(state, selected, seen);
  if (written === undefined) return given;
  trace?.('result', written);
  return written;
}

function catchValues({ node, frame, sources }: PathStage, { index, held = null }: Stage): Values {
  const catcher = 'catch' in node ? node.catch[index ?? 0] : undefined;
  return present({
    Output: place(catcher?.resultPath ?? null, frame.data, held),
    Assign: filled(catcher?.assign, sources(held)),
  });
}

function parametersOf({ flow, sources }: PathStage, input: Json, trace: Trace | null): Json {
  const given = flow?.parameters === undefined ? input : fillPayload(flow.parameters, sources(input));
  trace?.('afterParameters', given);
  return given;
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
function place(path: string | null, document: Json, result: Json): Json {
  if (path === '$') return withinLimits(result);
  return path === null ? document : withinLimits(writePath(parsePath(path), document, result));
}

function filled(template: Json | undefined, sources: Sources): Json | undefined {
  return template === undefined ? undefined : fillPayload(template, sources);
}

function amount(given: Amount | null | undefined, sources: Sources): Json | undefined {
  return typeof given === 'object' && given !== null && 'path' in given
    ? readPath(parsePath(given.path), sources)
    : undefined;
}
