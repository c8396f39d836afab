// The ceilings of the policy directory: one for a name, a tenant's for a domain that exists, each with demands that can be met.
import type { Hex } from '../../json.js';
import { compareText, type Problems } from '../file/diagnostic.js';
import { pointerSegment, type ReadFile } from '../file/document.js';
import type { Person } from '../rbac/person.js';
import type { RoleGraph } from '../rbac/role.js';
import { demandText, minimumText } from './approval-duty.js';
import { labelOf, LAYERS, type Ceiling, type CeilingLayer } from './ceiling.js';
import { checkDemands } from './demand-check.js';
import type { CeilingDocument } from './shape.js';
import { normalizeRule } from './spec.js';

export interface LoadedCeiling extends CeilingLayer {
  readonly layer: 'org' | 'environment' | 'tenant';
  readonly spec: Ceiling;
  readonly hash: Hex;
  readonly file: string;
  /** Where in its file the rule stands that demands an approval in these words (`demandedBy`); null = none does. */
  readonly lineOfDemand: (text: string) => number | null;
}

/** A file of ceilings/, and what it says in its normal form. */
export interface CeilingFile extends ReadFile<CeilingDocument> {
  readonly spec: Ceiling;
}

/** Who can be asked for an approval. */
export interface Askable {
  readonly roles: RoleGraph;
  readonly people: readonly Person[];
}

/** Sorted by layer, then name. */
export function collectCeilings(
  files: readonly CeilingFile[],
  { roles, people }: Askable,
  problems: Problems,
): readonly Omit<LoadedCeiling, 'hash'>[] {
  const byName = new Map<string, Omit<LoadedCeiling, 'hash'>>();
  for (const file of files) {
    const { source, document, spec } = file;
    const { name, layer } = document.metadata;
    if (layer === 'tenant' && !roles.domains.has(name)) {
      const hint = 'a tenant ceiling is named after its domain; use layer org for all';
      problems.add(source.file, source.place('/metadata/name'), `unknown domain "${name}"`, hint);
    }
    const earlier = byName.get(name);
    if (earlier !== undefined) {
      const message = `duplicate ceiling name ${name}, first in ${earlier.file}`;
      problems.add(source.file, source.place('/metadata/name'), message);
      continue;
    }
    const domains = layer === 'tenant' ? [name] : [...roles.domains];
    checkDemands({ source, approval: document.spec.approval, domains, roles, people }, problems);
    byName.set(name, { layer, name, spec, file: source.file, lineOfDemand: (text) => lineOf(text, file) });
  }
  return [...byName.values()].toSorted(
    (a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer) || compareText(a.name, b.name),
  );
}

function lineOf(text: string, { source, document: { metadata, spec } }: CeilingFile): number | null {
  const { minimum = 'none', rules = [] } = spec.approval ?? {};
  const label = labelOf(metadata);
  if (text === minimumText(label, minimum)) return source.place('/spec/approval/minimum').line;
  const index = rules.findIndex((rule) => demandText(label, normalizeRule(rule)) === text);
  return index < 0 ? null : source.place(`/spec/approval/rules${pointerSegment(index)}`).line;
}
