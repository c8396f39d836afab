// What the data of a run carries, as policy judges it and the log tells it: declared at the start and by the document,
// grown by what functions say of what they give. A label that no ceiling knows is refused: a rule about the right spelling
// would not see it.
import { WritError } from '../../errors.js';
import type { JsonObject } from '../../json.js';
import type { CeilingLayer } from '../../policy/ceiling/ceiling.js';
import type { Facts } from '../../policy/ceiling/facts.js';
import {
  CLASSIFICATIONS,
  declaredTogether,
  isDeclared,
  UNKNOWN_DATA,
  type DataClass,
} from '../../workflow/data-class.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import type { FunctionReach } from '../ports.js';

/** What a start says of its input; absent = nothing. */
export interface DataDeclaration {
  /** [] = it carries none. */
  readonly labels?: readonly string[];
  readonly classification?: string;
}

/** The plan of a run whose start says this of its input. Throws USAGE for what is no label or classification. */
export function withData(plan: Plan, given: DataDeclaration | undefined): Plan {
  if (given === undefined) return plan;
  const data = declaredTogether(plan.data ?? UNKNOWN_DATA, readDeclaration(given));
  return isDeclared(data) ? { ...plan, data } : plan;
}

/** Throws USAGE for what is no label or classification. */
export function readDeclaration({ labels, classification }: DataDeclaration): DataClass {
  return { labels: labelsOf(labels), classification: classificationOf(classification) };
}

function labelsOf(labels: readonly unknown[] | undefined): readonly string[] | null {
  if (labels === undefined) return null;
  const found = labels.map((label) => {
    if (typeof label === 'string' && LABEL.test(label)) return label;
    throw new WritError('USAGE', `${JSON.stringify(label)} is no label of data`, {
      hint: '1 to 64 letters, digits, . _ -, as ceilings name them in data.labelsAllowed and match.labels',
    });
  });
  if (found.length > MAX_LABELS)
    throw new WritError('USAGE', `at most ${MAX_LABELS} labels, not ${found.length}`);
  return [...new Set(found)].sort();
}

/** As the schemas of documents and ceilings have it. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MAX_LABELS = 100;

function classificationOf(word: unknown): DataClass['classification'] {
  if (word === undefined) return null;
  const found = CLASSIFICATIONS.find((one) => one === word);
  if (found !== undefined) return found;
  throw new WritError('USAGE', `${JSON.stringify(word)} is no classification`, {
    hint: `one of ${CLASSIFICATIONS.join(', ')}`,
  });
}

/** Of the plan that a run starts by: what is known of its input. */
export function dataOf(plan: Plan): DataClass {
  return plan.data ?? UNKNOWN_DATA;
}

/** As ceilings and approval rules judge it: what is not known counts as the worst. */
export function dataFacts({ labels, classification }: DataClass): Pick<Facts, 'labels' | 'classification'> {
  return { labels, ...(classification === null ? {} : { classification }) };
}

/** What a call gives back carries besides what it was given: its function's word and that of its step. */
export function returnedBy(
  node: Pick<TaskNode, 'data'>,
  { returns }: Pick<FunctionReach, 'returns'>,
): DataClass {
  return (returns ?? []).reduce(declaredTogether, node.data ?? UNKNOWN_DATA);
}

/** For the log and for an approval; null where nobody has said anything. */
export function dataJson(data: DataClass): JsonObject | null {
  return isDeclared(data) ? { labels: data.labels, classification: data.classification } : null;
}

/** The labels that ceilings name, sorted: those they allow and those that ask for approval. */
export function knownLabels(layers: readonly Pick<CeilingLayer, 'spec'>[]): readonly string[] {
  const found = layers.flatMap(({ spec }) =>
    spec === null
      ? []
      : [
          ...(spec.data.labelsAllowed ?? []),
          ...spec.approval.rules.flatMap(({ match }) => match.labels ?? []),
        ],
  );
  return [...new Set(found)].sort();
}

/** Of `labels`, the first that no ceiling names. Null where ceilings name none at all: then nothing depends on any. */
export function unknownLabel(
  { labels }: DataClass,
  layers: readonly Pick<CeilingLayer, 'spec'>[],
): { readonly label: string; readonly known: readonly string[] } | null {
  if (labels === null || labels.length === 0) return null;
  const known = knownLabels(layers);
  if (known.length === 0) return null;
  const label = labels.find((one) => !known.includes(one));
  return label === undefined ? null : { label, known };
}

/** Throws `code` for a label that no ceiling names. */
export function requireKnownLabels(
  data: DataClass,
  layers: () => readonly Pick<CeilingLayer, 'spec'>[],
  code: 'INPUT_INVALID' | 'CEILING_DATA',
): void {
  if (data.labels === null || data.labels.length === 0) return;
  const unknown = unknownLabel(data, layers());
  if (unknown === null) return;
  throw new WritError(code, `no ceiling names the label "${unknown.label}"`, {
    hint: `a rule about the right spelling would not see it; labels: ${unknown.known.join(', ')}`,
  });
}
