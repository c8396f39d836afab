// Documents of dialect 2 made at random: whatever they hold, they are read to the end, every finding has a place in the
// text, and a plan is whole when there is one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Json } from '../../src/json.js';
import { parseWorkflow, type PlanNode } from '../../src/workflow/index.js';
import { smallMachines } from './machines.js';

const NAMES = ['A', 'B', 'C', '__proto__', 'constructor'];
const TEXTS = [
  ...[
    '$',
    '$.a',
    '$$.Execution.Id',
    '$v',
    '$.a[*]',
    '$..b',
    '$[',
    'States.UUID()',
    'States.Format(',
    '{% 1 %}',
  ],
  ...[
    '{% $states.input %}',
    '{% $states.result %}',
    '{% $states.errorOutput %}',
    '{% $eval("1") %}',
    '{% ( %}',
    '{%',
    'arn:aws:states:::lambda:invoke',
    'tool::wasm',
    'States.ALL',
    '',
  ],
  ...['2026-01-31T09:00:00Z', 'JSONata', 'JSONPath', 'DISTRIBUTED', 'CSV', 'GIVEN', 'FULL'],
];
const TYPES = ['Task', 'Choice', 'Pass', 'Wait', 'Succeed', 'Fail', 'Parallel', 'Map', 'task'];
const FIELDS = [
  ...[
    'Next',
    'End',
    'Default',
    'InputPath',
    'OutputPath',
    'ResultPath',
    'ResultSelector',
    'Parameters',
    'Result',
  ],
  ...['Arguments', 'Output', 'Assign', 'QueryLanguage', 'Resource', 'Agent', 'Human', 'Credentials', 'Retry'],
  ...[
    'Catch',
    'Choices',
    'Seconds',
    'SecondsPath',
    'Timestamp',
    'TimestampPath',
    'Error',
    'CausePath',
    'Branches',
  ],
  ...[
    'ItemProcessor',
    'Iterator',
    'Items',
    'ItemsPath',
    'ItemSelector',
    'ItemReader',
    'ItemBatcher',
    'Label',
  ],
  ...['ResultWriter', 'MaxConcurrency', 'MaxConcurrencyPath', 'ToleratedFailureCount', 'TimeoutSeconds'],
  ...['HeartbeatSeconds', 'Variable', 'IsNull', 'StringEquals', 'And', 'Not', 'Condition', 'ErrorEquals'],
  ...[
    'StartAt',
    'States',
    'ProcessorConfig',
    'Mode',
    'ReaderConfig',
    'CSVHeaders',
    'MaxItems',
    'MaxItemsPerBatch',
    'MaxItemsPerBatchPath',
    'ExecutionType',
    'InputType',
    'ToleratedFailurePercentagePath',
    'nope',
    'a.$',
  ],
];

const { state } = fc.letrec<{ tree: Json; state: Json }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<Json>(...TEXTS, ...NAMES, 0, 1, -1, 2.5, true, false, null),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...FIELDS, ...NAMES), tie('tree'), { maxKeys: 4 }),
    tie('state'),
  ),
  state: fc
    .tuple(
      fc.constantFrom(...TYPES),
      fc.dictionary(fc.constantFrom(...FIELDS), tie('tree'), { maxKeys: 6 }),
      fc.constantFrom<Record<string, Json>>({ End: true }, { Next: 'A' }, { Next: 'B' }, {}),
    )
    .map(([type, fields, way]): Json => ({ Type: type, ...way, ...fields })),
}));
const states = fc.dictionary(fc.constantFrom(...NAMES), state, { minKeys: 1, maxKeys: 4 });

const hostile = fc.record(
  {
    StartAt: fc.constantFrom(...NAMES),
    States: states,
    QueryLanguage: fc.constantFrom('JSONata', 'JSONPath'),
    TimeoutSeconds: fc.constantFrom<Json>(1, 0, 'x'),
  },
  { requiredKeys: ['StartAt', 'States'] },
);
const spoiled = fc.tuple(smallMachines, state).map(([machine, extra]) => {
  const all = machine['States'];
  return { ...machine, States: { ...(typeof all === 'object' ? all : {}), s0: extra } };
});
const document: fc.Arbitrary<Record<string, Json>> = fc.oneof(smallMachines, hostile, spoiled);

describe('a state machine made at random', () => {
  it('is read to the end, in JSON and in YAML, in every form', () => {
    let compiled = 0;
    fc.assert(
      fc.property(document, fc.constantFrom('STANDARD', 'EXPRESS'), fc.nat(2), (machine, type, form) => {
        const whole: Json =
          form === 0
            ? machine
            : form === 1
              ? { version: 'agentrc.workflow/v0.1', ...machine }
              : {
                  apiVersion: 'agentrc.workflow/v0.1',
                  kind: 'AgentWorkflow',
                  metadata: { name: 'm' },
                  spec: machine,
                };
        for (const text of [JSON.stringify(whole, null, 1), stringify(whole)]) {
          const { plan, diagnostics } = parseWorkflow(text, { type });
          if (plan !== null) compiled++;
          expect(plan === null).toBe(diagnostics.some((one) => one.severity === 'error'));
          const lines = text.split('\n').length;
          for (const { line, column, message } of diagnostics) {
            expect(line).toBeLessThanOrEqual(lines);
            expect(Math.min(line, column, message.length)).toBeGreaterThan(0);
          }
          for (const [name, node] of Object.entries(plan?.nodes ?? {})) {
            expect(node.name).toBe(name);
            for (const target of targetsOf(node)) expect(plan?.nodes).toHaveProperty([target]);
          }
          expect(plan === null || plan.start in plan.nodes).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
    // Most documents are refused, and some are not.
    expect(compiled).toBeGreaterThan(0);
  });
});

function targetsOf(node: PlanNode): readonly string[] {
  const next = 'next' in node && node.next !== null ? [node.next] : [];
  if (node.kind === 'choice') {
    return [...node.choices.map((choice) => choice.next), ...(node.default === null ? [] : [node.default])];
  }
  if (node.kind === 'fork') next.push(...node.lanes.map((lane) => lane.start));
  return 'catch' in node ? [...next, ...node.catch.map((catcher) => catcher.next)] : next;
}
