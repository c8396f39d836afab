// Where code runs that may hurt nobody: drivers, what they run, and their ways out.
import type { Digest, JsonObject } from '../../json.js';
import type { Limits } from './function.js';

/**
 * Limits of one sandbox, as they are enforced. A name that is absent was not asked for: then the driver's own default
 * holds, where it has one. A driver refuses a name or value it can't enforce (SANDBOX_UNSUPPORTED).
 */
export interface SandboxLimits extends Limits {
  /** CPU time of all processes of the guest together. */
  readonly cpuMs?: number;
  /** Cores, fractions allowed. */
  readonly cpus?: number;
  /** Processes and threads at once, the sandbox's own one or two included. */
  readonly pids?: number;
  /** All files of the guest's working directory together. */
  readonly diskMiB?: number;
}

/** What runs, by digest only; the driver verifies that it is this one and no other. */
export type SandboxProgram =
  /** WASM: the bytes, of which the digest is recomputed. */
  | { readonly kind: 'module'; readonly digest: Digest; readonly bytes: Uint8Array }
  /** The id of an image, or with `repository` the digest of its manifest (`repository@digest`). Never pulled. */
  | { readonly kind: 'image'; readonly digest: Digest; readonly repository: string | null };

/** A regular file. `path` is relative, `/`-separated, without empty, `.` or `..` segments. */
export interface SandboxFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A folder or file of the host, as a program sees it at `target`. Both absolute and normalised. */
export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
}

/** What a program in a sandbox may reach: these hosts by TLS and HTTP through a proxy of the runner, nothing else. */
export interface SandboxEgress {
  /**
   * `host:port` in lower case, as policy has allowed them. A name is reached at public addresses only; an address that is
   * private is reached where it is listed itself, with its port. At least one.
   */
  readonly hosts: readonly string[];
  /** Names of secrets: the program gets a placeholder of each, the proxy puts the value in, for declared hosts only. */
  readonly credentials: readonly string[];
  /** Both ways together, of everything that passes. */
  readonly bytes: number;
  /** Requests and tunnels, refused ones too. */
  readonly requests: number;
  /** Durable when it resolves. Called before anything is connected; a rejection means that nothing is, and ends the step. */
  record(decision: EgressDecision): Promise<void>;
}

/** One connection or request that a program asked for. */
export interface EgressDecision {
  /**
   * `host:port` as it was understood; null = no host could be read from it. `unlisted` = one that is not among `hosts`:
   * its name is text of the program's, which nobody is told.
   */
  readonly host: string | null;
  readonly verdict: 'allow' | 'deny';
  /** Why it was refused; null = it was not. No text of the program's. */
  readonly reason: string | null;
  /** Secrets whose values go into it. */
  readonly credentials: readonly string[];
}

/** Makes the ways out of sandboxes, one for each run of a program. */
export interface EgressProxies {
  /**
   * Starts nothing. Throws SANDBOX_UNSUPPORTED for a credential that no operator has declared for one of the hosts,
   * FUNCTION_UNAVAILABLE for one whose value is not known here or can't be sent.
   */
  check(egress: SandboxEgress): void;
  /** `socket` does not exist yet; who may connect to it, may do all that `egress` allows. */
  open(egress: SandboxEgress, socket: string): Promise<EgressProxy>;
}

export interface EgressProxy {
  /** Placeholders, by the variable that the program finds them in. */
  readonly env: Readonly<Record<string, string>>;
  /** Certificate of the authority that signs for intercepted hosts, PEM; null = nothing is intercepted. */
  readonly authority: string | null;
  /** Resolves when nothing may pass any more: a budget that is used up, too many refusals, or `record` that failed. */
  readonly ended: Promise<'egressBytes' | 'egressRequests' | 'egressRefused' | 'unrecorded'>;
  /** Every connection is cut. What passed, by host: whole numbers, for the evidence. */
  close(): Promise<JsonObject>;
}

/** There is no variable of the runner in any sandbox, and no network but `egress`: a request has no place for them. */
export interface SandboxRequest {
  /** argv[0] is the program of an image; a WASM guest sees it as its name. No shell unless argv names one. */
  readonly argv: readonly string[];
  /** Exactly these; nothing of the runner's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly program: SandboxProgram;
  readonly limits: SandboxLimits;
  /** Absolute, the driver's working directory (the default) or below. */
  readonly cwd?: string;
  /** Put into the working directory (Docker) or /workspace (WASM) before the program starts. */
  readonly files?: readonly SandboxFile[];
  /** Of the host, as ceilings have allowed them; a driver refuses what can't be shown safely, or all of them. */
  readonly mounts?: readonly SandboxMount[];
  /** Absent = no network at all. */
  readonly egress?: SandboxEgress;
  /** Patterns of files, relative to where `files` are put, that are wanted back. `*` and `**` are wildcards. */
  readonly outputs?: readonly string[];
  /** The container runtime it must be; absent = the driver's own. */
  readonly runtime?: string;
  /** What a ceiling wants kept (policy's sandbox-promise.ts); a driver that can't keep one refuses. */
  readonly require?: readonly string[];
  /** Clock and random bytes that the program sees in place of the real ones; a driver that can't refuses. */
  readonly deterministic?: {
    /** 64 hex digits. */
    readonly seed: string;
    readonly nowMs: number;
  };
  /** The run it belongs to: the label by which an operator finds what is running. */
  readonly run?: string;
  /** Called with output as it comes, at most `outputBytes` together, not redacted: for people who watch, never stored. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

export type SandboxStatus =
  | 'exited'
  | 'timeout'
  | 'oom'
  | 'output-limit'
  /** It ended by itself, but left something else than a regular file where an output was wanted. */
  | 'output-refused'
  | 'cancelled'
  | 'crashed'
  | 'unavailable';

export interface SandboxResult {
  readonly status: SandboxStatus;
  readonly exitCode: number | null;
  readonly stdout: { readonly bytes: Uint8Array; readonly truncated: boolean };
  readonly stderr: { readonly bytes: Uint8Array; readonly truncated: boolean };
  /** What `outputs` asked for, sorted by path; absent unless it exited. Attacker-controlled, as stdout is. */
  readonly outputs?: readonly SandboxFile[];
  readonly usage: { readonly wallMs: number; readonly cpuMs?: number };
  /** The name of the limit that ended it. */
  readonly limitHit: string | null;
  /** Nobody can tell how it ended, whether it did, or whether it began: `crashed`. Absent = all of that is known. */
  readonly isLost?: boolean;
  /** One sentence for people when status is not `exited`; no payload in it. */
  readonly reason: string | null;
  /** Completes the evidence of `prepare` (strings, integers, booleans). */
  readonly evidence: JsonObject;
}

/**
 * Enforces every limit it accepts, refuses what it can't enforce before anything starts (SANDBOX_UNSUPPORTED),
 * leaves nothing behind, never falls back to the host. Only runtime/guard.ts calls `run`.
 */
export interface SandboxDriver {
  readonly kind: 'wasm' | 'docker';
  readonly defaults: SandboxLimits;
  /** What this machine can keep; starts nothing that runs a guest. `ok: false` = `run` would be unavailable. */
  preflight(): Promise<{
    readonly ok: boolean;
    readonly evidence: JsonObject;
    readonly problems: readonly string[];
  }>;
  /**
   * Checks the request without starting the guest; the evidence goes into `sandbox.started` before the act.
   * Throws SANDBOX_UNSUPPORTED, SANDBOX_SPEC_INVALID, SANDBOX_MODULE_INVALID, SANDBOX_IMAGE_*, SANDBOX_RUNTIME_UNKNOWN,
   * SANDBOX_UNAVAILABLE, INTEGRITY_DIGEST.
   */
  prepare(request: SandboxRequest): Promise<JsonObject>;
  /** Never rejects for what the guest does; over within 2 s of an abort. */
  run(request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult>;
  close(): Promise<void>;
}

/** Images that the operator has named, by name (`default`); null = no such name. Not looked up in the engine. */
export interface ImageNames {
  names(): readonly string[];
  image(name: string): Extract<SandboxProgram, { kind: 'image' }> | null;
}

/** WASM modules: those shipped in `sandbox/wasm` by name, through the sha256 manifest, and any that is kept by its digest. */
export interface ModuleStore {
  /** Shipped ones only. */
  names(): Promise<readonly string[]>;
  /** By name or `sha256:…`; INTEGRITY_DIGEST on other bytes. */
  module(name: string): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array } | null>;
}
