// The ceilings above a workflow, and what the document itself says in their words: its own ceiling and its labels.
import { checkCeilingSpec } from '../../policy/ceiling/spec.js';
import type { LoadedCeiling } from '../../policy/ceiling/loaded.js';
import { widenings } from '../../policy/ceiling/widening.js';
import type { Segments } from '../../workflow/located.js';
import type { ParsedWorkflow } from '../../workflow/parse.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Place } from '../../workflow/diagnostic.js';
import type { Plan } from '../../workflow/plan.js';
import type { Guard } from '../guard-parts.js';
import { workflowLayer } from '../attempt/layers.js';
import { unknownLabel } from '../run/data.js';
import type { Diagnostic } from '../writ.js';
import { at, type NodeFinding } from './node-finding.js';

/** Of the policy directory, as they hold for what runs here. */
export function layersAbove(guard: Guard): readonly LoadedCeiling[] {
  return guard.policy().ceilings.filter((one) => one.layer !== 'tenant' || one.name === guard.tenant);
}

/** What the document's own ceiling says: nothing unknown, and nothing that those above it do not allow. */
export function checkCeilings(guard: Guard, plan: Plan, place: ParsedWorkflow['place']): Diagnostic[] {
  if (plan.ceilings === null) return [];
  const placeOf = (path: string, separator: string) => {
    const inside = ['ceilings', ...path.split(separator).filter((one) => one !== '')];
    return placeInside(
      place,
      inside.map((one) => (/^\d+$/.test(one) ? Number(one) : one)),
    );
  };
  const written = plan.ceilings;
  const checked = checkCeilingSpec(written);
  if (checked.ok) {
    return layersAbove(guard).flatMap(({ layer, name, spec }) =>
      widenings(checked.ceiling, spec, written).map(({ field, limit, requested }) => ({
        ...{ code: 'DOC_CEILING_EXCEEDED' as const, severity: 'error' as const, ...placeOf(field, '.') },
        message: `ceilings: ${field} is ${limit} in ceiling ${name} (${layer}), the workflow says ${requested}`,
        hint: `a ceiling can only narrow: stay under it, or have the owner of ${name} raise it`,
        path: `ceilings.${field}`,
      })),
    );
  }
  return checked.problems.map(({ pointer, message, hint }) => ({
    code: 'DOC_BAD_VALUE',
    severity: 'error',
    message: `ceilings${pointer}: ${message}`,
    ...(hint === undefined ? {} : { hint }),
    ...placeOf(pointer, '/'),
    path: `ceilings${pointer.replaceAll('/', '.')}`,
  }));
}

/** Of what stands beside `steps` and `states`: in a native state machine that is `spec`, which leads nowhere elsewhere. */
function placeInside(place: ParsedWorkflow['place'], segments: Segments): Place {
  const top = place([]);
  const outer = place(segments);
  const isOuter = outer.line !== top.line || outer.column !== top.column;
  return isOuter ? outer : place(['spec', ...segments]);
}

/** A word that no ceiling knows is a misspelling: the rules about the right one would not see it. */
export function checkLabels(guard: Guard, plan: Plan, place: ParsedWorkflow['place']): NodeFinding[] {
  if (plan.ceilings !== null && !checkCeilingSpec(plan.ceilings).ok) return [];
  const layers = [...layersAbove(guard), workflowLayer(plan)];
  const wrong = (data: DataClass | undefined, where: Place & { readonly name: string }) => {
    const unknown = data === undefined ? null : unknownLabel(data, layers);
    if (unknown === null) return [];
    const message = `no ceiling names the label "${unknown.label}"`;
    const hint = `labels: ${unknown.known.join(', ')}`;
    return [at(where, 'DOC_BAD_VALUE', message, hint, [['data', 'labels']])];
  };
  return [
    ...wrong(plan.data, { name: 'data.labels', ...placeInside(place, ['data', 'labels']) }),
    ...Object.values(plan.nodes).flatMap((node) => (node.kind === 'task' ? wrong(node.data, node) : [])),
  ];
}
