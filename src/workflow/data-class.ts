// What data carries besides its value: labels, and how secret it is. A document declares it of the run's input and of what
// a step gives; the run's own only grows. What nobody has said is not known, and stays so: it counts as the worst.
import { isObject, type Json } from '../json.js';

/** From the least to the most secret. */
export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted'] as const;
export type Classification = (typeof CLASSIFICATIONS)[number];

export interface DataClass {
  /** Sorted; [] = none. Null: not known, or in a declaration not said. */
  readonly labels: readonly string[] | null;
  readonly classification: Classification | null;
}

/** Nothing was said of it. */
export const UNKNOWN_DATA: DataClass = { labels: null, classification: null };

/** Of the same data: what either says. Commutative; a declaration that says nothing changes nothing. */
export function declaredTogether(a: DataClass, b: DataClass): DataClass {
  const labels = a.labels === null || b.labels === null ? (a.labels ?? b.labels) : both(a.labels, b.labels);
  return { labels, classification: higher(a.classification, b.classification) };
}

/** Of a run that is given more data: never less than before. What was not known is not made known by it. */
export function grownBy(run: DataClass, more: DataClass): DataClass {
  const labels = run.labels === null || more.labels === null ? run.labels : both(run.labels, more.labels);
  const isKnown = run.classification !== null;
  return { labels, classification: isKnown ? higher(run.classification, more.classification) : null };
}

/** Of two that are put together: what either carries, and unknown where one is. */
export function mixedWith(a: DataClass, b: DataClass): DataClass {
  const isKnown = a.classification !== null && b.classification !== null;
  return {
    labels: a.labels === null || b.labels === null ? null : both(a.labels, b.labels),
    classification: isKnown ? higher(a.classification, b.classification) : null,
  };
}

/** Whether it says anything at all. */
export function isDeclared({ labels, classification }: DataClass): boolean {
  return labels !== null || classification !== null;
}

/** `data` of a document or a file; what has a wrong type is left out, the schema has reported it. */
export function dataClassOf(value: Json | undefined): DataClass | null {
  if (!isObject(value)) return null;
  const { labels, classification } = value;
  const given = Array.isArray(labels) ? labels : null;
  return {
    labels:
      given === null
        ? null
        : both(
            given.filter((label) => typeof label === 'string'),
            [],
          ),
    classification: classificationOf(classification),
  };
}

/** The word, when it is one; null for everything else. */
export function classificationOf(word: unknown): Classification | null {
  return CLASSIFICATIONS.find((one) => one === word) ?? null;
}

function both(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])].sort();
}

function higher(a: Classification | null, b: Classification | null): Classification | null {
  if (a === null || b === null) return a ?? b;
  return CLASSIFICATIONS.indexOf(a) >= CLASSIFICATIONS.indexOf(b) ? a : b;
}
