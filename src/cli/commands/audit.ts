// The commands `writ audit …`, but those about witnesses.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { collectText, onlyOnce, runOf, textOf, textsOf, withFormat, textsIn } from './options.js';

/** Registers them at `parent`. */
export function addAuditCommands(parent: Command, leaf: Leaf): void {
  addVerify(parent, leaf);
  addVkey(parent, leaf);
  addShow(parent, leaf);
  addProve(parent, leaf);
  addExport(parent, leaf);
  addBundle(parent, leaf);
  addCertify(parent, leaf);
  addErase(parent, leaf);
  addRetention(parent, leaf);
  addRotateKey(parent, leaf);
}

function addVerify(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'verify',
    'verify a log directory, a proof or a bundle; needs neither store nor network',
    'writ audit verify --vkey "$(cat writ.vkey)"',
    async (context, [directory], flags) => {
      const [run, policy, quorum] = [textOf(flags['run']), textOf(flags['policy']), textOf(flags['quorum'])];
      const entry = textOf(flags['entry']);
      return (await import('../audit/audit.js')).verifyAudit(context, directory, {
        vkey: textsOf(flags['vkey']),
        ...(policy === undefined ? {} : { policy }),
        witness: textsOf(flags['witness']),
        ...(quorum === undefined ? {} : { quorum }),
        old: textsOf(flags['old']),
        trust: typeof flags['trust'] === 'string' ? flags['trust'] : flags['trust'] !== false,
        ...(run === undefined ? {} : { run }),
        payloads: textOf(flags['payloads']) ?? flags['payloads'] === true,
        ...(entry === undefined ? {} : { entry }),
      });
    },
  )
    .argument('[path]', "log directory (default: the data directory's audit/), .tlog-proof, .json or .html")
    .option('--vkey <vkey>', "the log's key, from outside; may be given again", collectText)
    .option('--policy <file>', 'trusted logs, witnesses and quorum: a C2SP tlog-policy', onlyOnce)
    .option('--witness <vkey>', 'a trusted witness, instead of a policy; may be given again', collectText)
    .option('--quorum <k>', 'how many of them must have cosigned (default: all)', onlyOnce)
    .option('--old <path>', 'an earlier checkpoint, or a directory of them; may be given again', collectText)
    .option('--trust <file>', 'trust file (default: the one of this user)')
    .option('--no-trust', 'use no trust file')
    .option('--run <id>', 'check that this run is complete', onlyOnce)
    .option(
      '--payloads [file]',
      'check every payload against its commitment; FILE: an export of them',
      onlyOnce,
    )
    .option('--entry <file>', "a proof's entry (default: the file beside it)", onlyOnce);
}

function addVkey(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'vkey',
    "print the log's vkey alone",
    'writ audit vkey > writ.vkey',
    async (context, _, flags) =>
      flags['all'] === true
        ? (await import('../audit/rotate.js')).printVkeys(context)
        : (await import('../audit/audit.js')).printVkey(context),
  ).option('--all', 'former vkeys too, and the entries that replaced them');
}

function addShow(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(
      parent,
      'show',
      "show a run's entries as the log holds them",
      'writ audit show RUN',
      async (context, [run], flags) => {
        const index = textOf(flags['index']);
        return (await import('../audit/show.js')).showAudit(
          context,
          run,
          index === undefined ? {} : { index },
        );
      },
    )
      .argument('[run]', 'run id')
      .option('--index <n>', 'one entry in full, by its index in the log'),
  );
}

function addProve(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'prove',
    'prove that the log holds an entry, to somebody without the log',
    'writ audit prove 12 --out entry-12.tlog-proof',
    async (context, [entry], flags) => {
      const [index, out] = [textOf(flags['index']), textOf(flags['out'])];
      return (await import('../audit/prove.js')).proveEntry(context, entry, {
        ...(index === undefined ? {} : { index }),
        ...(out === undefined ? {} : { out }),
      });
    },
  )
    .argument('[entry]', 'its index, or its leaf hash (64 hex digits)')
    .option('--index <n>', 'its index')
    .option('--out <file>', "the proof's file, ending in .tlog-proof; the entry is written beside it");
}

function addExport(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'export',
    'copy the published log to a new directory, and verify the copy',
    'writ audit export --out /media/usb/log',
    async (context, _, flags) => {
      const [out, payloads, size] = ['out', 'payloads', 'size'].map((name) => textOf(flags[name]));
      return (await import('../audit/export.js')).exportAudit(context, {
        ...(out === undefined ? {} : { out }),
        ...(payloads === undefined ? {} : { payloads }),
        ...(size === undefined ? {} : { size }),
      });
    },
  )
    .option('--out <dir>', 'a new or empty directory')
    .option('--payloads <file>', 'the payloads too, as JSON lines in a new private file')
    .option('--size <n>', 'the log as it was when it was signed at this size');
}

function addBundle(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'bundle',
    'evidence of a run for somebody else: a page that checks itself, and JSON',
    'writ audit bundle RUN --out claim-7.html',
    async (context, [run], flags) => {
      return (await import('../audit/bundle.js')).bundleRun(context, runOf(run, flags), {
        ...textsIn(flags, 'out', 'payloadLabels', 'old', 'custodian'),
        payloads: flags['payloads'] !== false,
        force: flags['force'] === true,
      });
    },
  )
    .argument('[run]', 'run id')
    .option('--run <id>', 'the same')
    .option('--out <file>', 'the page, ending in .html; the .json is written beside it')
    .option('--no-payloads', 'show no data: entries, decisions and commitments only')
    .option('--payload-labels <labels>', 'show only data under these labels, e.g. input,reason')
    .option('--old <file>', 'an earlier checkpoint: prove that the log has only grown since')
    .option('--custodian <name>', 'who keeps the records, for the certificate')
    .option('--force', 'overwrite files that are there');
}

function addCertify(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'certify',
    'a certificate for a bundle, to be signed by the custodian of the records',
    'writ audit certify RUN --custodian "Maria Ruiz, Records" --out claim-7.txt',
    async (context, [given], flags) => {
      const isNamed = given !== undefined || flags['run'] !== undefined || flags['bundle'] === undefined;
      const run = isNamed ? runOf(given, flags) : null;
      return (await import('../audit/bundle.js')).certifyRun(context, run, {
        ...textsIn(flags, 'out', 'bundle', 'custodian'),
        force: flags['force'] === true,
      });
    },
  )
    .argument('[run]', 'run id (default: the one --bundle is about)')
    .option('--run <id>', 'the same')
    .option('--bundle <file>', "the bundle's .json (default: the newest one made of this run)")
    .option('--custodian <name>', 'who will sign; a blank without it')
    .option('--out <file>', 'where to (default: print it)')
    .option('--force', 'overwrite a file that is there');
}

function addErase(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'erase',
    "erase payloads of finished runs for good; their commitments stay, and the log's proofs hold",
    'writ audit erase --run RUN --label input --basis "GDPR art. 17, case 2026-31"',
    async (context, _, flags) => {
      const [run, label, basis] = ['run', 'label', 'basis'].map((name) => textOf(flags[name]));
      return (await import('../audit/erase.js')).eraseAudit(context, {
        payload: textsOf(flags['payload']),
        ...(run === undefined ? {} : { run }),
        ...(label === undefined ? {} : { label }),
        expired: flags['expired'] === true,
        ...(basis === undefined ? {} : { basis }),
      });
    },
  )
    .option('--payload <hex>', 'a payload, by its commitment; may be given again', collectText)
    .option('--run <id>', 'all payloads of this run')
    .option('--label <label>', 'with --run: only those with this label (input, output, subject, …)')
    .option('--expired', 'payloads of runs that finished longer ago than the retention')
    .option('--basis <text>', 'why; public, and in the log for ever: name a rule or a case, no person');
}

function addRetention(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'retention',
    'show how long payloads are kept, or change it; every change is logged',
    'writ audit retention --days 365',
    async (context, _, flags) => {
      const [days, override] = [textOf(flags['days']), textOf(flags['overrideMinimum'])];
      return (await import('../audit/retention.js')).showRetention(context, {
        ...(days === undefined ? {} : { days }),
        ...(override === undefined ? {} : { overrideMinimum: override }),
      });
    },
  )
    .option('--days <n>', 'keep payloads this long after their run finished')
    .option(
      '--override-minimum <reason>',
      'why fewer days than the minimum; public, and in the log for ever',
    );
}

function addRotateKey(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'rotate-key',
    "replace the log's signing key; the old one signs for the new one and is deleted",
    'writ audit rotate-key',
    async (context) => (await import('../audit/rotate.js')).rotateKey(context),
  );
}
