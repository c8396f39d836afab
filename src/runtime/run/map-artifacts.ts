// The items and results of distributed Maps: what an itemReader reads from the artifact store and a resultWriter writes to
// it, in the name of whoever started the run. Policy is asked first, by the name or the digest, and its answer is durable
// in the run's log before a byte is read; a write is an attempt (result-write.ts), with its intent before it and its
// outcome after it. A refusal is no failure of the Map: nothing tolerates it. What is read is attacker-controlled.
import {
  itemsFromText,
  objectPlace,
  resultFiles,
  resultsInline,
  type Reading,
  type ReadingAnswer,
  type Writing,
  type WritingAnswer,
} from '../../engine/index.js';
import { isRecordable } from '../../canonical-json.js';
import { withinLimits } from '../../engine/data-limit.js';
import { WritError, type ErrorCode } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json, type JsonObject } from '../../json.js';
import { NO_COST } from '../../policy/ceiling/budget.js';
import { decide } from '../../policy/decision/decide.js';
import type { Decision } from '../../policy/decision/decision.js';
import { classificationOf, mixedWith, UNKNOWN_DATA, type DataClass } from '../../workflow/data-class.js';
import type { Plan } from '../../workflow/plan.js';
import { draft } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from '../attempt/judged-attempt.js';
import { ofRun, whileFresh } from '../attempt/judge.js';
import { workflowLayer } from '../attempt/layers.js';
import {
  artifactNameProblem,
  type Change,
  type ListedArtifact,
  type EntryDraft,
  type RunRecord,
} from '../ports.js';
import { dataJson } from './data.js';
import { intendWrite, wrote, type WriteIntent } from './result-write.js';
import { entryContext } from './context.js';

/** Names that one list gives at most. */
const MAX_LISTED = 100_000;

/** The run in whose name artifacts are asked for. */
export interface MapRun {
  readonly run: RunRecord;
  readonly plan: Plan;
  /** What its data carries now: so does what it writes. */
  readonly execution: { readonly data: DataClass };
}

type Action = 'artifact.read' | 'artifact.write';
type Fault = Extract<ReadingAnswer, { readonly ok: false }>;

export interface Taken {
  readonly answer: ReadingAnswer;
  /** What the file that was read carries; absent where no file was. */
  readonly data?: DataClass;
}

/** Throws the fatal STORE_* only; every other fault is an answer. */
export async function readItems(guard: Guard, of: MapRun, reading: Reading): Promise<Taken> {
  let data: DataClass | undefined;
  const answer = await answered(async () => {
    const read = /:listObjectsV2$/.test(reading.reader.resource)
      ? await listed(guard, of, reading, (carried) => (data = carried))
      : await itemsOf(guard, of, reading, (carried) => (data = carried));
    if (!read.ok) return read;
    // Depth and size first: what is as deep as its author likes is not walked by anything that recurses.
    const items = guard.redact.json(withinLimits(read.items));
    return isRecordable(items) ? { ok: true, items } : fault('The items hold what can not be recorded.');
  });
  return data === undefined ? { answer } : { answer, data };
}

export interface Written {
  readonly answer: WritingAnswer;
  /** What is committed with the answer: the outcome of an act that was begun. */
  readonly change?: Pick<Change, 'entries' | 'attempts'>;
}

/** As `readItems`. Nothing is written when one of the files may not be; `stepPath` names the act in the log. */
export async function writeResults(
  guard: Guard,
  of: MapRun,
  writing: Writing & { readonly stepPath: string },
): Promise<Written> {
  const act: Act = { intent: null };
  const answer = await answered(() => write(guard, of, writing, act));
  if (act.intent === null) return { answer };
  const fault = answer.ok ? null : { code: answer.code ?? 'STEP_RESULT_WRITER', message: answer.message };
  return { answer, change: wrote(guard, of.run, act.intent, fault) };
}

/** Whether it has begun. */
interface Act {
  intent: WriteIntent | null;
}

async function write(
  guard: Guard,
  of: MapRun,
  writing: Writing & { readonly stepPath: string },
  act: Act,
): Promise<WritingAnswer> {
  const { id } = of.run;
  // Whatever it gives is made of what it was given.
  const { data } = of.execution;
  const { resource } = writing.writer;
  const redacted = { ...writing, results: writing.results.map((result) => withoutSecrets(guard, result)) };
  if (resource === null) return { ok: true, output: resultsInline(redacted, id) };
  const place = objectPlace(writing.arguments);
  const made = resultFiles(redacted, place, id);
  const files = made.files.map(({ key, text }) => {
    const bytes = new TextEncoder().encode(text);
    return { name: `${place.bucket}/${key}`, bytes, digest: guard.artifacts.digestOf(bytes) };
  });
  for (const { name } of files) {
    const problem = artifactNameProblem(name);
    if (problem !== null) return fault(`The place for the results is no bucket and prefix: ${problem}.`);
  }
  const { ask, startPolicy } = await askingFor(guard, of);
  const judged = files.map(({ name, digest }) => {
    const decision = ask('artifact.write', name);
    const about = { digest, ...startPolicy };
    return {
      decision,
      entry: entryOf(guard, of, { action: 'artifact.write', resource: name, decision, about }),
    };
  });
  const refused = judged.find(({ decision }) => decision.verdict !== 'allow');
  if (refused !== undefined) {
    await guard.journal.commit({ entries: [refused.entry] });
    return refusal(refused.decision);
  }
  const allowed = judged.map(({ entry }) => entry);
  act.intent = await intendWrite(guard, of.run, writing.stepPath, files, allowed);
  let manifest: Digest | null = null;
  for (const { name, bytes } of files) manifest = await guard.artifacts.put(bytes, name, data);
  return { ok: true, output: withDigest(made.output, resource, manifest) };
}

/** The objects of a bucket, of those that may be read: what may not is as if it were not there. */
async function listed(
  guard: Guard,
  of: MapRun,
  reading: Reading,
  carries: (data: DataClass) => void,
): Promise<ReadingAnswer> {
  const { bucket, prefix } = objectPlace(reading.arguments);
  // Whatever a key would begin with: `<bucket>/` and one more character is a name.
  const problem = artifactNameProblem(`${bucket}/x`);
  if (problem !== null) return fault(`The bucket can not be listed: ${problem}.`);
  const beginning = `${bucket}/${prefix}`;
  const { ask, startPolicy } = await askingFor(guard, of);
  const decision = ask('artifact.read', beginning);
  if (decision.verdict !== 'allow') {
    const entry = entryOf(guard, of, {
      action: 'artifact.read',
      resource: beginning,
      decision,
      about: startPolicy,
    });
    await guard.journal.commit({ entries: [entry] });
    return refusal(decision);
  }
  const found = await guard.artifacts.list(beginning, MAX_LISTED + 1);
  if (found.length > MAX_LISTED) return fault(`There are more than ${MAX_LISTED} objects under '${prefix}'.`);
  const readable = found.filter(({ name }) => ask('artifact.read', name).verdict === 'allow');
  // A name is data too: whoever wrote the file made it of what the file carries.
  let data: DataClass | null = null;
  for (const digest of new Set(readable.map((one) => one.digest))) {
    const one = await dataOfArtifact(guard, digest);
    data = data === null ? one : mixedWith(data, one);
  }
  if (data !== null) carries(data);
  const told = data === null ? {} : { data: dataJson(data) };
  const about = { objects: readable.length, ...told, ...startPolicy };
  const entry = entryOf(guard, of, { action: 'artifact.read', resource: beginning, decision, about });
  await guard.journal.commit({ entries: [entry] });
  const items = readable.map((one) => objectJson(one, bucket));
  return { ok: true, items: reading.maxItems === null ? items : items.slice(0, reading.maxItems) };
}

/** As ListObjectsV2 tells of an object: times in seconds. */
function objectJson({ name, digest, size, storedAtMs }: ListedArtifact, bucket: string): Json {
  const hex = digest.slice('sha256:'.length);
  return {
    Etag: `"${hex}"`,
    Key: name.slice(bucket.length + 1),
    LastModified: Math.floor(storedAtMs / 1000),
    Size: size,
    StorageClass: 'STANDARD',
  };
}

/** `carries` is told what the file carries, before anything of it is looked at. */
async function itemsOf(
  guard: Guard,
  of: MapRun,
  reading: Reading,
  carries: (data: DataClass) => void,
): Promise<ReadingAnswer> {
  const { reader, maxItems } = reading;
  if (reader.config.inputType === 'PARQUET') return fault('PARQUET is not read.');
  const { bucket, key, digest } = objectPlace(reading.arguments);
  const isByDigest = reader.resource === 'artifact:read' && digest !== '';
  const resource = isByDigest ? digest : `${bucket}/${key}`;
  const problem = isByDigest
    ? isDigest(digest)
      ? null
      : 'a digest is sha256: and 64 lower-case hex digits'
    : artifactNameProblem(resource);
  if (problem !== null) return fault(`The itemReader names no artifact: ${problem}.`);
  const { ask, startPolicy } = await askingFor(guard, of);
  const decision = ask('artifact.read', resource);
  const isAllowed = decision.verdict === 'allow';
  // Whoever may not read it does not learn whether it is there.
  const found = !isAllowed || isDigest(resource) ? null : await guard.artifacts.find(resource);
  const named = isDigest(resource) ? resource : (found?.digest ?? null);
  const data = !isAllowed || named === null ? null : await dataOfArtifact(guard, named);
  if (data !== null) carries(data);
  const told = isAllowed ? { digest: named, ...(data === null ? {} : { data: dataJson(data) }) } : {};
  const about = { ...told, ...startPolicy };
  await guard.journal.commit({
    entries: [entryOf(guard, of, { action: 'artifact.read', resource, decision, about })],
  });
  if (!isAllowed) return refusal(decision);
  const bytes = named === null ? null : await guard.artifacts.read(named);
  if (bytes === null) {
    return fault(
      isByDigest
        ? `The artifact ${digest} does not exist.`
        : `The specified key does not exist. Bucket: ${bucket}, Key: ${key}.`,
    );
  }
  const text = textOf(bytes);
  return text === null
    ? fault('The object is not valid UTF-8.')
    : itemsFromText(reader.config, text, maxItems);
}

/** All that was said of these bytes; what nobody has said anything of is not known. */
async function dataOfArtifact({ artifacts }: Guard, digest: Digest): Promise<DataClass> {
  const said = (await artifacts.dataOf(digest)).map(({ labels, classification }) => ({
    labels,
    classification: classificationOf(classification),
  }));
  const [first, ...others] = said;
  return first === undefined ? UNKNOWN_DATA : others.reduce(mixedWith, first);
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // told by the caller, without the bytes
  }
}

/** How policy answers about artifacts here, and what is recorded beside its answers. */
interface Asking extends Pick<Judged, 'startPolicy'> {
  readonly ask: (action: Action, resource: string) => Decision;
}

/** RBAC for the initiator, and what ceilings say of any act of the run: a package that has expired reads nothing. */
async function askingFor(guard: Guard, { run, plan }: MapRun): Promise<Asking> {
  const { policy, clock, tenant, startPolicy } = await ofRun(guard, run);
  const ask = (action: Action, resource: string): Decision => {
    const decision = decide(policy(), {
      nowMs: clock.nowMs(),
      initiator: run.initiator,
      agent: null,
      domain: tenant,
      action,
      resource,
      layers: [workflowLayer(plan)],
      facts: {
        functionId: action,
        agentName: null,
        agentDigest: null,
        sandbox: null,
        network: [],
        mounts: [],
        credentials: [],
        limits: {},
        labels: null,
        estimate: NO_COST,
      },
      approval: null,
    });
    return whileFresh(guard, decision);
  };
  return { ask, startPolicy };
}

interface Access {
  readonly action: Action;
  readonly resource: string;
  readonly decision: Decision;
  /** Digests and counts; never what is in an artifact. */
  readonly about: {
    readonly digest?: Digest | null;
    readonly objects?: number;
    readonly data?: JsonObject | null;
  } & Judged['startPolicy'];
}

function entryOf(guard: Guard, { run }: MapRun, { action, resource, decision, about }: Access): EntryDraft {
  const { verdict, rbac, code } = decision;
  return draft(entryContext(guard, run), 'authz.decided', {
    stepPath: null,
    attempt: null,
    subject: run.initiator,
    agent: null,
    domain: guard.tenant,
    action,
    resource,
    // Nobody can be asked here: what would need an approval is refused.
    verdict: verdict === 'allow' ? 'allow' : 'deny',
    ruleId: rbac[0]?.ruleId ?? null,
    code,
    ...about,
  });
}

function refusal({ code, message }: Decision): Fault {
  return { ok: false, code: code ?? 'POLICY_ERROR', message };
}

function fault(message: string, code?: ErrorCode): Fault {
  return { ok: false, message, ...(code === undefined ? {} : { code }) };
}

/** A broken store stops the runner; bytes that are not what they were fail the run, and nothing catches that. */
async function answered<Answer>(act: () => Promise<Answer | Fault>): Promise<Answer | Fault> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    if (error.code.startsWith('INTEGRITY_')) return fault(error.message, error.code);
    if (error.kind === 'fatal') throw error;
    return fault(error.message);
  }
}

function withoutSecrets({ redact }: Guard, result: Writing['results'][number]): Writing['results'][number] {
  const { index, input, output, error } = result;
  return { index, input: redact.json(input), output: redact.json(output), error };
}

/** AWS has no digests; what names ours can be read by it, whatever the name is given to later. */
function withDigest(output: Json, resource: string, digest: Digest | null): Json {
  if (resource !== 'artifact:write' || !isObject(output) || digest === null) return output;
  const details = output['ResultWriterDetails'];
  return { ...output, ResultWriterDetails: { ...(isObject(details) ? details : {}), Digest: digest } };
}
