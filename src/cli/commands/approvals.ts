// The commands `writ approvals …`.
import { Option } from 'commander';
import type { DecideFlags } from '../approvals/approvals.js';
import { FORMAT, listFlagsOf, pageOptions, textsIn } from './options.js';
import { type Flags, type Group, type OptionRow, unknownVerb } from './verb.js';

const DIGEST: OptionRow = ['--digest <hex64>', 'subject digest of what you saw, in full'];
const REASON: OptionRow = ['--reason <text>', 'why; kept as a payload, only its commitment is logged'];
const NO_CONTINUE: OptionRow = ['--no-continue', 'record the decision only, do not advance the run here'];

const VOTE: readonly OptionRow[] = [
  ['--for <person>', 'vote for somebody who has delegated it to you, such as user:alice'],
  ['--break-glass', 'vote under the emergency role; needs a reason and opens a review'],
  DIGEST,
  REASON,
  NO_CONTINUE,
];

export const approvalCommands: Group = {
  name: 'approvals',
  does: 'see and decide approval requests',
  example: 'writ approvals',
  verbs: [
    {
      name: 'inbox',
      does: 'work off what waits for a decision at this terminal; what the group does without a verb',
      example: 'writ approvals',
      // What is no verb comes here too.
      isDefault: true,
      words: [['[verb...]']],
      usage: '[options]',
      action: async (context, [verb]) => {
        if (verb !== undefined) throw await unknownVerb(approvalCommands, verb);
        return (await import('../approvals/inbox.js')).openInbox(context);
      },
    },
    {
      name: 'list',
      does: 'list pending approval requests',
      example: 'writ approvals list',
      options: [
        ...pageOptions('decided and expired ones too'),
        FORMAT,
        ['--reviews', 'emergency decisions that nobody has reviewed'],
        // Of all requests there are: of some of them it would say something else than it seems to.
        new Option('--stats', 'requests per run, decision time, share approved within 2 s').conflicts([
          'all',
          'run',
          'limit',
          'cursor',
          'reviews',
        ]),
      ],
      action: async (context, _, flags) =>
        (await import('../approvals/list.js')).listApprovals(context, {
          reviews: flags['reviews'] === true,
          stats: flags['stats'] === true,
          ...listFlagsOf(flags),
        }),
    },
    {
      name: 'show',
      does: 'show exactly what would run, and its digest',
      example: 'writ approvals show ID',
      words: [['<id...>', 'approval id; several of one step show the digest that approves them together']],
      options: [FORMAT],
      action: async (context, ids) => (await import('../approvals/show.js')).showApprovals(context, ids),
    },
    {
      name: 'approve',
      does: 'approve one request, then go on with its run',
      example: 'writ approvals approve ID --digest HEX64 --key alice.key',
      words: [['<id...>', 'approval id; several of one step are approved together, each with its own vote']],
      options: VOTE,
      action: async (context, ids, flags) => {
        const [id = ''] = ids;
        const approvals = await import('../approvals/approvals.js');
        if (ids.length > 1) return approvals.approveBatch(context, ids, decideFlags(flags));
        return approvals.approve(context, id, decideFlags(flags));
      },
    },
    {
      name: 'deny',
      does: 'deny one request for good, then go on with its run',
      example: "writ approvals deny ID --reason 'amount is wrong'",
      words: [['<id>', 'approval id']],
      options: VOTE,
      action: async (context, [id = ''], flags) =>
        (await import('../approvals/approvals.js')).deny(context, id, decideFlags(flags)),
    },
    {
      name: 'revoke',
      does: 'take back an approval that its step has not used yet',
      example: "writ approvals revoke ID --reason 'the amount is disputed'",
      words: [['<id>', 'approval id']],
      options: [REASON, NO_CONTINUE],
      action: async (context, [id = ''], flags) =>
        (await import('../approvals/approvals.js')).revoke(context, id, decideFlags(flags)),
    },
    {
      name: 'edit',
      does: 'change the input of a pending request; another person approves the new one',
      example: 'writ approvals edit ID --digest HEX64 --input \'{"amount": 900}\'',
      words: [['<id>', 'approval id']],
      options: [
        DIGEST,
        ['--input <json>', 'what the input is to be: JSON, @FILE or @- for stdin'],
        ['--no-continue', 'record the change only, do not advance the run here'],
      ],
      action: async (context, [id = ''], flags) =>
        (await import('../approvals/approvals.js')).editRequest(context, id, {
          ...textsIn(flags, 'digest', 'input'),
          continue: flags['continue'] !== false,
        }),
    },
    {
      name: 'review',
      does: 'say what became of an emergency decision, and close its review',
      example: "writ approvals review ID --reason 'the outage was real'",
      words: [['<id>', 'approval id']],
      options: [['--reason <text>', 'what you found; kept as a payload, only its commitment is logged']],
      action: async (context, [id = ''], flags) =>
        (await import('../approvals/approvals.js')).review(context, id, textsIn(flags, 'reason')),
    },
  ],
};

function decideFlags(flags: Flags): DecideFlags {
  return {
    ...textsIn(flags, 'digest', 'reason', 'for'),
    breakGlass: flags['breakGlass'] === true,
    continue: flags['continue'] !== false,
  };
}
