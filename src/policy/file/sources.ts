// The files of a policy directory, each read as what its place says it is. Unknown files are refused: a deny rule in a
// misnamed file must not be overlooked.
import type { Json } from '../../json.js';
import type { CeilingFile } from '../ceiling/loaded.js';
import { checkCeilingSpec } from '../ceiling/spec.js';
import { MODEL_HASH, MODEL_TEXT, sha256Hex } from '../rbac/model.js';
import { compareText, FILE_START, type Problems } from './diagnostic.js';
import { readDocument, type ReadFile, type SourceDocument } from './document.js';
import { LOCK_FILE } from './lock.js';
import type { Hashing } from './policy-hash.js';
import { checkShape } from './shape.js';
import type {
  ApproversDocument,
  PackageSignersDocument,
  RolesDocument,
  RulesDocument,
  ShapeProblem,
  Shapes,
} from './shape.js';
import { besidesInCeiling, soundRules } from './sound-part.js';

const MAX_FILES = 200;
const RESTORE_MODEL = 'restore the shipped model.conf; change rules, never the matcher';

export interface Sources {
  readonly rules: ReadFile<RulesDocument>[];
  readonly roles: ReadFile<RolesDocument>[];
  readonly ceilings: CeilingFile[];
  approvers: ReadFile<ApproversDocument> | null;
  packageSigners: ReadFile<PackageSignersDocument> | null;
}

/** `files`: path below the directory -> text. Adds a problem for each that is not what it should be. */
export async function readSources(
  files: ReadonlyMap<string, string>,
  problems: Problems,
  hashing: Hashing,
): Promise<Sources> {
  const reading = new Reading(problems, hashing);
  const { sources } = reading;
  if (files.size > MAX_FILES) {
    problems.add('', FILE_START, `${files.size} files, at most ${MAX_FILES} are read`);
    return sources;
  }
  if (!files.has('model.conf')) problems.add('model.conf', FILE_START, 'file is missing', RESTORE_MODEL);
  for (const entry of [...files].toSorted(([a], [b]) => compareText(a, b))) {
    await hashing.pause?.();
    await reading.take(entry);
  }
  // Stock Casbin allows everything that equals nothing when it has no rows.
  if (!problems.any && sources.rules.length === 0) {
    problems.add('rbac', FILE_START, 'no rules: there is no *.yaml file in rbac/', 'add rbac/NAME.yaml');
  }
  return sources;
}

type Entry = readonly [file: string, text: string];

class Reading {
  readonly sources: Sources = { rules: [], roles: [], ceilings: [], approvers: null, packageSigners: null };

  constructor(
    readonly problems: Problems,
    readonly hashing: Hashing,
  ) {}

  async take(entry: Entry): Promise<void> {
    const { sources } = this;
    const [file, text] = entry;
    const folder = /^(rbac|roles|ceilings)\/[^/]+\.yaml$/.exec(file)?.[1];
    if (file === 'model.conf') {
      checkModel(text, this.problems, this.hashing.sha256);
    } else if (folder === 'ceilings') {
      await this.#takeCeiling(entry);
    } else if (folder === 'rbac') {
      const read = await this.#shaped('Rules', entry, soundRules);
      if (read !== null) sources.rules.push(read);
    } else if (folder === 'roles') {
      const read = await this.#shaped('Roles', entry);
      if (read !== null) sources.roles.push(read);
    } else if (file === 'approvers.yaml') {
      sources.approvers = await this.#shaped('Approvers', entry);
    } else if (file === 'package-signers.yaml') {
      sources.packageSigners = await this.#shaped('PackageSigners', entry);
    } else if (file !== LOCK_FILE && !/^[^/]+\.md$|^tests\/[^/]+\.yaml$/.test(file)) {
      const hint =
        'policies live in rbac/*.yaml, roles/*.yaml, ceilings/*.yaml, approvers.yaml, package-signers.yaml and tests/*.yaml';
      this.problems.add(file, FILE_START, 'unknown file in the policy directory', hint);
    }
  }

  async #takeCeiling(entry: Entry): Promise<void> {
    const read = await this.#shaped('Ceiling', entry);
    if (read === null) return;
    const result = checkCeilingSpec(read.document.spec as Json);
    if (result.ok) this.sources.ceilings.push({ ...read, spec: result.ceiling });
    else addProblems(read.source, under('/spec', result.problems), this.problems);
  }

  async #shaped<K extends 'Rules' | 'Roles' | 'Approvers' | 'PackageSigners' | 'Ceiling'>(
    kind: K,
    [file, text]: Entry,
    sound?: (value: Json, wrong: readonly ShapeProblem[]) => Shapes[K] | null,
  ): Promise<ReadFile<Shapes[K]> | null> {
    const { problems } = this;
    const source = readDocument(file, text, problems);
    if (source === null) return null;
    await this.hashing.pause?.();
    const shape = checkShape(kind, source.value);
    if (shape.ok) return { source, document: shape.document };
    addProblems(source, shape.problems, problems);
    const document = sound?.(source.value, shape.problems) ?? null;
    if (document !== null) return { source, document };
    if (kind === 'Ceiling') addProblems(source, besidesInCeiling(source.value, shape.problems), problems);
    return null;
  }
}

function addProblems(source: SourceDocument, found: readonly ShapeProblem[], problems: Problems): void {
  for (const { pointer, key, message, hint } of found) {
    problems.add(source.file, key ? source.keyPlace(pointer) : source.place(pointer), message, hint);
  }
}

function under(pointer: string, found: readonly ShapeProblem[]): readonly ShapeProblem[] {
  return found.map((one) => ({ ...one, pointer: pointer + one.pointer }));
}

function checkModel(text: string, problems: Problems, sha256: Hashing['sha256']): void {
  if ([text, MODEL_TEXT].every((one) => sha256Hex(one, sha256) === MODEL_HASH)) return;
  const isOfWindows = text.replaceAll('\r\n', '\n') === MODEL_TEXT;
  const expected = MODEL_TEXT.split('\n');
  const line = text.split('\n').findIndex((actual, index) => actual !== expected[index]);
  problems.add(
    'model.conf',
    { line: Math.max(line, 0) + 1, column: 1 },
    'the model is frozen and this file differs from it',
    isOfWindows ? 'only its line ends differ: save it with LF in place of CR LF' : RESTORE_MODEL,
  );
}
