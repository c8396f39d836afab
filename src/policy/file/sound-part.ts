// What of a document of the wrong shape can be checked all the same, so that its author is told of everything at once. The
// directory is refused in any case: nothing that is read here ever decides.
import { isObject, type Json } from '../../json.js';
import { problemsBesides } from '../ceiling/spec.js';
import { checkShape } from './shape.js';
import type { RulesDocument, ShapeProblem } from './shape.js';

/** The rules that have the right shape, the others as null in their places; null = no list of rules. */
export function soundRules(value: Json, wrong: readonly ShapeProblem[]): RulesDocument | null {
  if (!isObject(value) || !Array.isArray(value['rules'])) return null;
  const rows: readonly Json[] = value['rules'];
  const bad = new Set(wrong.map(({ pointer }) => /^\/rules\/(\d+)/.exec(pointer)?.[1]));
  const isBad = (_: Json, index: number): boolean => bad.has(String(index));
  const rest = checkShape('Rules', { ...value, rules: rows.filter((row, index) => !isBad(row, index)) });
  if (!rest.ok) return null;
  const sound = rest.document.rules.values();
  return { rules: rows.map((row, index) => (isBad(row, index) ? null : (sound.next().value ?? null))) };
}

/** Problems of a ceiling that are none of its shape, in the fields that have the right one. */
export function besidesInCeiling(value: Json, wrong: readonly ShapeProblem[]): readonly ShapeProblem[] {
  const inside = wrong.flatMap((one) =>
    one.pointer.startsWith('/spec/') ? [{ ...one, pointer: one.pointer.slice('/spec'.length) }] : [],
  );
  const spec = isObject(value) ? (value['spec'] ?? null) : null;
  return problemsBesides(spec, inside).map((one) => ({ ...one, pointer: `/spec${one.pointer}` }));
}
