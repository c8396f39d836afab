// The commands `writ audit …`; those about witnesses are in witness.ts.
import { FORMAT, collectText, runOf, textOf, textsIn, textsOf } from './options.js';
import type { Group } from './verb.js';
import { witnessCommands } from './witness.js';

export const auditCommands: Group = {
  name: 'audit',
  does: 'read, prove, hand out, verify and erase',
  example: 'writ audit verify',
  verbs: [
    {
      name: 'verify',
      does: 'verify a log directory, a proof or a bundle; needs neither store nor network',
      example: 'writ audit verify --vkey "$(cat writ.vkey)"',
      words: [
        ['[path]', "log directory (default: the data directory's audit/), .tlog-proof, .json or .html"],
      ],
      options: [
        ['--vkey <vkey>', "the log's key, from outside; may be given again", collectText],
        ['--policy <file>', 'trusted logs, witnesses and quorum: a C2SP tlog-policy'],
        ['--witness <vkey>', 'a trusted witness, instead of a policy; may be given again', collectText],
        ['--quorum <k>', 'how many of them must have cosigned (default: all)'],
        ['--old <path>', 'an earlier checkpoint, or a directory of them; may be given again', collectText],
        ['--trust <file>', 'trust file (default: the one of this user)'],
        ['--no-trust', 'use no trust file'],
        ['--run <id>', 'check that this run is complete'],
        ['--payloads [file]', 'check every payload against its commitment; FILE: an export of them'],
        ['--entry <file>', "a proof's entry (default: the file beside it)"],
      ],
      action: async (context, [directory], flags) =>
        (await import('../audit/audit.js')).verifyAudit(context, directory, {
          ...textsIn(flags, 'policy', 'quorum', 'run', 'entry'),
          vkey: textsOf(flags['vkey']),
          witness: textsOf(flags['witness']),
          old: textsOf(flags['old']),
          trust: textOf(flags['trust']) ?? flags['trust'] !== false,
          payloads: textOf(flags['payloads']) ?? flags['payloads'] === true,
        }),
    },
    {
      name: 'vkey',
      does: "print the log's vkey alone",
      example: 'writ audit vkey > writ.vkey',
      options: [['--all', 'former vkeys too, and the entries that replaced them']],
      action: async (context, _, flags) =>
        flags['all'] === true
          ? (await import('../audit/rotate.js')).printVkeys(context)
          : (await import('../audit/audit.js')).printVkey(context),
    },
    {
      name: 'show',
      does: "show a run's entries as the log holds them",
      example: 'writ audit show RUN',
      words: [['[run]', 'run id']],
      options: [['--index <n>', 'one entry in full, by its index in the log'], FORMAT],
      action: async (context, [run], flags) =>
        (await import('../audit/show.js')).showAudit(context, run, textsIn(flags, 'index')),
    },
    {
      name: 'prove',
      does: 'prove that the log holds an entry, to somebody without the log',
      example: 'writ audit prove 12 --out entry-12.tlog-proof',
      words: [['[entry]', 'its index, or its leaf hash (64 hex digits)']],
      options: [
        ['--index <n>', 'its index'],
        ['--out <file>', "the proof's file, ending in .tlog-proof; the entry is written beside it"],
      ],
      action: async (context, [entry], flags) =>
        (await import('../audit/prove.js')).proveEntry(context, entry, textsIn(flags, 'index', 'out')),
    },
    {
      name: 'export',
      does: 'copy the published log to a new directory, and verify the copy',
      example: 'writ audit export --out /media/usb/log',
      options: [
        ['--out <dir>', 'a new or empty directory'],
        ['--payloads <file>', 'the payloads too, as JSON lines in a new private file'],
        ['--size <n>', 'the log as it was when it was signed at this size'],
      ],
      action: async (context, _, flags) =>
        (await import('../audit/export.js')).exportAudit(context, textsIn(flags, 'out', 'payloads', 'size')),
    },
    {
      name: 'bundle',
      does: 'evidence of a run for somebody else: a page that checks itself, and JSON',
      example: 'writ audit bundle RUN --out claim-7.html',
      words: [['[run]', 'run id']],
      options: [
        ['--run <id>', 'the same'],
        ['--out <file>', 'the page, ending in .html; the .json is written beside it'],
        ['--no-payloads', 'show no data: entries, decisions and commitments only'],
        ['--payload-labels <labels>', 'show only data under these labels, e.g. input,reason'],
        ['--old <file>', 'an earlier checkpoint: prove that the log has only grown since'],
        ['--custodian <name>', 'who keeps the records, for the certificate'],
        ['--force', 'overwrite files that are there'],
      ],
      action: async (context, [run], flags) =>
        (await import('../audit/bundle.js')).bundleRun(context, runOf(run, flags), {
          ...textsIn(flags, 'out', 'payloadLabels', 'old', 'custodian'),
          payloads: flags['payloads'] !== false,
          force: flags['force'] === true,
        }),
    },
    {
      name: 'certify',
      does: 'a certificate for a bundle, to be signed by the custodian of the records',
      example: 'writ audit certify RUN --custodian "Maria Ruiz, Records" --out claim-7.txt',
      words: [['[run]', 'run id (default: the one --bundle is about)']],
      options: [
        ['--run <id>', 'the same'],
        ['--bundle <file>', "the bundle's .json (default: the newest one made of this run)"],
        ['--custodian <name>', 'who will sign; a blank without it'],
        ['--out <file>', 'where to (default: print it)'],
        ['--force', 'overwrite a file that is there'],
      ],
      action: async (context, [given], flags) => {
        const isNamed = given !== undefined || flags['run'] !== undefined || flags['bundle'] === undefined;
        const run = isNamed ? runOf(given, flags) : null;
        return (await import('../audit/bundle.js')).certifyRun(context, run, {
          ...textsIn(flags, 'out', 'bundle', 'custodian'),
          force: flags['force'] === true,
        });
      },
    },
    {
      name: 'erase',
      does: "erase payloads of finished runs for good; their commitments stay, and the log's proofs hold",
      example: 'writ audit erase --run RUN --label input --basis "GDPR art. 17, case 2026-31"',
      options: [
        ['--payload <hex>', 'a payload, by its commitment; may be given again', collectText],
        ['--run <id>', 'all payloads of this run'],
        ['--label <label>', 'with --run: only those with this label (input, output, subject, …)'],
        ['--expired', 'payloads of runs that finished longer ago than the retention'],
        ['--basis <text>', 'why; public, and in the log for ever: name a rule or a case, no person'],
      ],
      action: async (context, _, flags) =>
        (await import('../audit/erase.js')).eraseAudit(context, {
          ...textsIn(flags, 'run', 'label', 'basis'),
          payload: textsOf(flags['payload']),
          expired: flags['expired'] === true,
        }),
    },
    {
      name: 'retention',
      does: 'show how long payloads are kept, or change it; every change is logged',
      example: 'writ audit retention --days 365',
      options: [
        ['--days <n>', 'keep payloads this long after their run finished'],
        ['--override-minimum <reason>', 'why fewer days than the minimum; public, and in the log for ever'],
      ],
      action: async (context, _, flags) =>
        (await import('../audit/retention.js')).showRetention(
          context,
          textsIn(flags, 'days', 'overrideMinimum'),
        ),
    },
    {
      name: 'rotate-key',
      does: "replace the log's signing key; the old one signs for the new one and is deleted",
      example: 'writ audit rotate-key',
      action: async (context) => (await import('../audit/rotate.js')).rotateKey(context),
    },
    witnessCommands,
  ],
};
