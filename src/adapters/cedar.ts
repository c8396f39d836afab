// The policy text of agent packages (Cedar). The text is attacker-controlled until somebody has reviewed the package:
// it is evaluated in WebAssembly, as a set of its own, and can only say no. Cedar leaves out a policy that fails and
// goes on with the others, so any error at all counts as no. The engine (13 MB) loads when the first text is asked.
import { WritError } from '../errors.js';
import type { PackageAct, PackagePolicies, PackageRefusal } from '../runtime/ports.js';

type Engine = typeof import('@cedar-policy/cedar-wasm/nodejs');
type Reference = { readonly type: string; readonly id: string };

/** Longest text of a package, in characters. */
export const MAX_POLICY_TEXT = 64 * 1024;
/** Texts that are kept parsed inside the engine, which never gives one up: more are refused. */
const MAX_TEXTS = 1000;

/** `load`: a test may hand in an engine that breaks. */
export function openCedar(
  load: () => Promise<Engine> = () => import('@cedar-policy/cedar-wasm/nodejs'),
): PackagePolicies {
  /** Null = parsed; else why it can't be. */
  const parsed = new Map<string, { readonly id: string; readonly problem: string | null }>();
  const parse = (engine: Engine, text: string): { readonly id: string; readonly problem: string | null } => {
    const known = parsed.get(text);
    if (known !== undefined) return known;
    if (parsed.size >= MAX_TEXTS) throw new Error(`more than ${MAX_TEXTS} texts in one process`);
    const id = `package-${parsed.size}`;
    const answer = engine.preparsePolicySet(id, { staticPolicies: text });
    const made = { id, problem: answer.type === 'success' ? null : words(answer.errors) };
    parsed.set(text, made);
    return made;
  };
  return {
    async refusal(text, { agent, acts }) {
      const broken = (reason: string, act: PackageAct | null = null): PackageRefusal => ({
        kind: 'error',
        act,
        reason: reason.slice(0, MAX_REASON),
      });
      try {
        if (text.length > MAX_POLICY_TEXT) return broken(`it is longer than ${MAX_POLICY_TEXT} characters`);
        const { id, problem } = parse(await loaded(load), text);
        if (problem !== null) return broken(`it can't be read: ${problem}`);
        const engine = await loaded(load);
        for (const act of acts) {
          const { action, resource } = referencesOf(act);
          const answer = engine.statefulIsAuthorized({
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
          const reason = by.length === 0 ? 'nothing in it permits that' : `${by.join(', ')} forbids that`;
          return { kind: 'denied', act, reason };
        }
        return null;
      } catch (error) {
        return broken(error instanceof Error ? error.message : 'the engine failed');
      }
    },
  };
}

const MAX_REASON = 500;
const engines = new WeakMap<() => Promise<Engine>, Promise<Engine>>();

function loaded(load: () => Promise<Engine>): Promise<Engine> {
  const known = engines.get(load);
  if (known !== undefined) return known;
  const made = load().catch((cause: unknown) => {
    engines.delete(load);
    throw new WritError('INTERNAL', 'the Cedar engine could not be loaded', { cause });
  });
  engines.set(load, made);
  return made;
}

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
  }
}

function words(errors: readonly { readonly message: string }[]): string {
  return errors.map(({ message }) => message).join('; ') || 'for no reason that it names';
}
