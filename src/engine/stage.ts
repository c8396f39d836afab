// What a state of dialect 2 needs to know of its data at one stage of its life. In JSONata that is a Query, and the cursor
// waits for the answer; in JSONPath it is worked out at once (path-stage.ts). Either way the same values come out.
import type { Json, JsonObject } from '../json.js';
import type { Amount, ChoiceNode, Each, Flow, PlanNode, Wording } from '../workflow/plan.js';
import type { Values } from './amount.js';
import type { Stage } from './state.js';

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

/** The lane of a Map. */
export function eachOf(node: PlanNode): Each | null {
  return node.kind === 'fork' && node.form === 'map' ? (node.lanes[0]?.each ?? null) : null;
}

/** Numbers of a Map, by field. */
export function amountsOf(each: Each): readonly (readonly [string, Amount | null])[] {
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

/** Those that are there. */
export function present(values: Readonly<Record<string, Json | undefined>>): JsonObject {
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
