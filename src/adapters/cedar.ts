// The policy text of agent packages (Cedar). The text is attacker-controlled until somebody has reviewed the package:
// it is evaluated in WebAssembly, as a set of its own, and can only say no. Cedar leaves out a policy that fails and
// goes on with the others, so any error at all counts as no. The engine (13 MB) loads when the first text is asked. A text
// that nests too deeply traps it, and what has trapped once answers nobody any more: the next text gets a new engine.
import { createRequire } from 'node:module';
import { WritError } from '../errors.js';
import type { PackageAct, PackagePolicies, PackageRefusal } from '../runtime/ports.js';

type Engine = typeof import('@cedar-policy/cedar-wasm/nodejs');
type Reference = { readonly type: string; readonly id: string };

/** Longest text of a package, in characters. */
export const MAX_POLICY_TEXT = 64 * 1024;
/**
 * Characters of a text times acts that it is asked about in one call. All of a text is evaluated for each act, and nothing else
 * happens meanwhile: a text of the most policies takes 0.4 µs a character and act.
 */
export const MAX_EFFORT = 2_000_000;
/** Texts that are kept parsed inside an engine: with more a new one is loaded. */
const MAX_TEXTS = 1000;
/** Texts that have broken an engine are kept in mind, the last ones: to find out costs an engine, some 0.3 s. */
const MAX_BREAKING = 100;

/** `load` gives an engine that nobody has used yet; a test may hand in one that breaks. */
export function openCedar(load: () => Promise<Engine> = newEngine): PackagePolicies {
  const engines = new Engines(load);
  /** Texts that an engine has broken on, and how: none is tried again. */
  const breaking = new Map<string, string>();
  return {
    async refusal(text, { agent, acts }) {
      const broken = (reason: string, act: PackageAct | null = null): PackageRefusal => ({
        kind: 'error',
        act,
        reason: reason.slice(0, MAX_REASON),
      });
      if (text.length > MAX_POLICY_TEXT) return broken(`it is longer than ${MAX_POLICY_TEXT} characters`);
      if (text.length * acts.length > MAX_EFFORT) {
        const most = Math.floor(MAX_EFFORT / text.length);
        return broken(
          `one of ${text.length} characters is asked about ${most} acts at most, this call has ${acts.length}`,
        );
      }
      const before = breaking.get(text);
      if (before !== undefined) return broken(before);
      let used: Loaded | null = null;
      try {
        used = await engines.forText(text);
        while (used.isSpent) used = await engines.forText(text);
        // From here on nothing else happens in between: whatever breaks is broken by this text.
        const { id, problem } = parse(used, text);
        if (problem !== null) return broken(`it can't be read: ${problem}`);
        for (const act of acts) {
          const { action, resource } = referencesOf(act);
          const answer = used.engine.statefulIsAuthorized({
            principal: { type: 'AgentRC::Agent', id: agent },
            action,
            resource,
            context: { ref: act.resource },
            entities: [],
            preparsedPolicySetId: id,
          });
          if (answer.type === 'failure') return broken(words(answer.errors), act);
          const { decision, diagnostics } = answer.response;
          const [failed] = diagnostics.errors;
          if (failed !== undefined) return broken(`${failed.policyId} fails: ${failed.error.message}`, act);
          if (decision === 'allow') continue;
          const by = diagnostics.reason;
          // The text says what a package may reach; who may call it is for others to permit. It may forbid it.
          if (act.action === 'agent.invoke' && by.length === 0) continue;
          const reason = by.length === 0 ? 'nothing in it permits that' : `${by.join(', ')} forbids that`;
          return { kind: 'denied', act, reason };
        }
        return null;
      } catch (error) {
        const words = error instanceof Error ? error.message : 'the engine failed';
        if (used === null) return broken(words);
        engines.drop(used);
        const reason = `the engine breaks on it: ${words}`;
        breaking.set(text, reason);
        for (const oldest of breaking.keys()) if (breaking.size > MAX_BREAKING) breaking.delete(oldest);
        return broken(reason);
      }
    },
  };
}

/** An engine with the texts that it holds parsed: null = parsed; else why it can't be. It never gives one up. */
interface Loaded {
  readonly engine: Engine;
  readonly parsed: Map<string, { readonly id: string; readonly problem: string | null }>;
  /** It has trapped, or is full: its answers are worth nothing, or it takes no more. */
  isSpent: boolean;
}

function parse(
  { engine, parsed }: Loaded,
  text: string,
): { readonly id: string; readonly problem: string | null } {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const id = `package-${parsed.size}`;
  const answer = engine.preparsePolicySet(id, { staticPolicies: text });
  const made = { id, problem: answer.type === 'success' ? null : words(answer.errors) };
  parsed.set(text, made);
  return made;
}

/** One engine at a time, loaded when it is first needed and again after one was dropped. */
class Engines {
  #current: Promise<Loaded> | null = null;

  constructor(readonly load: () => Promise<Engine>) {}

  /** May be spent by the time it is there: others have asked meanwhile. */
  async forText(text: string): Promise<Loaded> {
    this.#current ??= this.load().then(
      (engine) => ({ engine, parsed: new Map(), isSpent: false }),
      (cause: unknown) => {
        this.#current = null;
        throw new WritError('INTERNAL', 'the Cedar engine could not be loaded', { cause });
      },
    );
    const loaded = await this.#current;
    if (loaded.parsed.size >= MAX_TEXTS && !loaded.parsed.has(text)) this.drop(loaded);
    return loaded;
  }

  drop(used: Loaded): void {
    if (used.isSpent) return;
    used.isSpent = true;
    this.#current = null;
  }
}

/** The module holds one instance for the whole process, so a new instance takes a new module. */
function newEngine(): Promise<Engine> {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  delete require.cache[path];
  return Promise.resolve(require(path) as Engine);
}

const MAX_REASON = 500;
/** Names of the specification; a tool is called by its bare name, its whole reference is `context.ref`. */
function referencesOf({ action, resource }: PackageAct): {
  readonly action: Reference;
  readonly resource: Reference;
} {
  const named = (name: string, type: string, id: string) => ({
    action: { type: 'AgentRC::Action', id: name },
    resource: { type: `AgentRC::${type}`, id },
  });
  switch (action) {
    case 'network.egress':
      return named('NetworkEgress', 'Host', resource);
    case 'tool.invoke':
      return named('tool.invoke', 'Tool', resource.replace(/^.*:/su, ''));
    case 'secret.use':
      return named('secret.resolve', 'Secret', resource);
    case 'agent.invoke':
      return named('agent.invoke', 'Agent', resource.replace(/@.*$/su, ''));
  }
}

function words(errors: readonly { readonly message: string }[]): string {
  return errors.map(({ message }) => message).join('; ') || 'for no reason that it names';
}
