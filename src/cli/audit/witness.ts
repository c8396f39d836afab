// `writ audit witness serve | key | vkey | anchor | status`: being a witness of somebody's log, and what the witnesses
// of this log have cosigned. A witness needs no data directory and knows no policy: only log keys, its own key, its
// state.
import { WritError } from '../../errors.js';
import { untilSignal, withWrit, type Context } from '../context.js';
import { listenAddress } from '../listen-address.js';
import { printable } from '../output.js';

export interface ServeFlags {
  readonly log: readonly string[];
  readonly state: string;
  /** HOST:PORT; port 0 = any free one. */
  readonly listen: string;
}

/** Runs until a signal (exit 130 or 143) or until the witness's state fails (exit 6). */
export async function serve(context: Context, flags: ServeFlags): Promise<number> {
  const { output, keyFile } = context;
  if (keyFile === null || flags.log.length === 0) {
    throw new WritError(
      'USAGE',
      `a witness needs ${keyFile === null ? 'its key: --key FILE' : 'a log: --log VKEY'}`,
      {
        hint: 'writ audit witness key FILE --name NAME makes a key; writ audit vkey prints that of a log',
      },
    );
  }
  const address = listenAddress(flags.listen);
  const { systemClock } = await import('../../adapters/clock.js');
  const { loadWitnessKey } = await import('../../adapters/keys/witness-key.js');
  const { openWitnessState } = await import('../../adapters/store/witness-state.js');
  const { verifyWithNode } = await import('../../verify-trust.js');
  const { openWitness, readLogKeys } = await import('../../runtime/witness/witness.js');
  const { serveWitness } = await import('../../server/witness.js');
  const signer = loadWitnessKey(keyFile);
  const logs = givenKeys(() => readLogKeys(flags.log));
  const state = openWitnessState(flags.state);
  try {
    const parts = { logs: flags.log, signer, state, clock: systemClock, verifySignature: verifyWithNode };
    const witness = openWitness(parts);
    const server = await serveWitness(witness, address, (event) => {
      output.note(JSON.stringify({ event: 'witness.answered', ...event }));
    });
    // A lost state is a witness that may cosign a fork: its operator must know when it begins from nothing. The state
    // is asked, for its file is there as soon as a start was tried.
    const seen = new Set(state.latest().map(({ origin }) => origin));
    for (const name of new Set(logs.map((log) => log.name))) {
      if (seen.has(name)) continue;
      const what = `${printable(flags.state)} is new to ${printable(name)}`;
      output.note(`writ: warning: ${what}: this witness has cosigned nothing of it yet`);
    }
    if (output.json) output.value({ url: server.url, vkey: signer.vkey });
    else {
      output.line(`witness  ${printable(signer.vkey)}`);
      output.line(`listens  ${server.url}`);
    }
    let fault: WritError | null = null;
    const signal = await untilSignal(async (stop) => {
      stop.addEventListener('abort', () => {
        server.stop();
      });
      fault = await server.stopped;
    });
    if (fault !== null) throw fault as WritError;
    return signal ?? 0;
  } finally {
    state.close();
  }
}

/** Makes a witness key (mode 0600) and prints its vkey. */
export async function makeKey(context: Context, file: string, name: string | undefined): Promise<number> {
  if (name === undefined) {
    throw new WritError('USAGE', 'a witness key needs a name', {
      hint: 'a name like witness.example.com/w1: --name NAME',
    });
  }
  const { createWitnessKey } = await import('../../adapters/keys/witness-key.js');
  return printVkey(context, createWitnessKey(file, name).vkey);
}

/** The vkey of a witness key file, alone. */
export async function showVkey(context: Context, file: string): Promise<number> {
  const { loadWitnessKey } = await import('../../adapters/keys/witness-key.js');
  return printVkey(context, loadWitnessKey(file).vkey);
}

/** Asks now. Exit 0 when the quorum has cosigned (or none is asked for), else 6. */
export async function anchor(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const report = await writ.anchor(new AbortController().signal);
    if (report === null) {
      throw new WritError('USAGE', 'this log has neither witnesses nor a time stamp authority', {
        hint: 'name witnesses in witnesses.policy, or timestamp.url in config.json, of the data directory',
      });
    }
    const { size, quorum, quorumMet, witnesses, timestamp } = report;
    if (output.json) output.value({ ...report, size: size.toString() });
    else {
      output.line(`checkpoint  ${size} entries`);
      for (const { name, problem } of witnesses) {
        output.line(`witness     ${printable(name)}: ${printable(problem ?? 'cosigned')}`);
      }
      if (timestamp !== null) output.line(`time stamp  ${printable(timestamp.problem ?? 'kept')}`);
      output.line(`quorum      ${printable(quorum)}: ${quorumMet ? 'met' : 'not met'}`);
    }
    return quorumMet && (timestamp?.problem ?? null) === null ? 0 : 6;
  });
}

/** What each witness has cosigned. Asks nobody. Exit 0. */
export async function status(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const found = await writ.witnesses();
    if (output.json) {
      output.value(found);
      return 0;
    }
    const { renderTable } = await import('../table.js');
    const { colors } = output;
    const { size, quorum, witnessed, witnesses, problems } = found;
    if (witnesses.length === 0) output.line('no witnesses.policy names a witness of this log');
    else {
      const rows = witnesses.map(({ name, url, cosigned }) => {
        return [name, url ?? '-', cosigned?.size ?? '-', cosigned?.at ?? 'never'];
      });
      output.line(renderTable(colors, ['witness', 'url', 'cosigned size', 'at'], rows));
    }
    output.line(`log     ${size} entries`);
    const met = witnessed === null ? 'not met' : `met at ${witnessed.size} entries, ${witnessed.at}`;
    output.line(`quorum  ${printable(quorum)}${quorum === 'none' ? '' : `: ${met}`}`);
    for (const problem of problems) output.note(`writ: warning: ${printable(problem)}`);
    return 0;
  });
}

/** What was wrong with a `--log` is a mistake in the command, not a damaged key of this installation. */
function givenKeys<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'AUDIT_KEY_INVALID') throw error;
    throw new WritError('USAGE', `--log: ${error.message}`, {
      hint: error.hint ?? 'give the line that writ audit vkey prints on the machine of the log',
      cause: error,
    });
  }
}

function printVkey({ output }: Context, vkey: string): number {
  if (output.json) output.value({ vkey });
  else output.line(printable(vkey));
  return 0;
}
