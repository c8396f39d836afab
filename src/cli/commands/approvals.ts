// The commands `writ approvals …`.
import { type Command, Option } from 'commander';
import type { DecideFlags } from '../approvals/approvals.js';
import { type Flags, type Leaf, unknownVerb } from './leaf.js';
import { listFlagsOf, textsIn, withFormat, withPages } from './options.js';

/** Registers them at `parent`. */
export function addApprovalCommands(parent: Command, leaf: Leaf): void {
  addInbox(parent, leaf);
  addList(parent, leaf);
  addShow(parent, leaf);
  const approve = addApprove(parent, leaf);
  const deny = addDeny(parent, leaf);
  addRevoke(parent, leaf);
  addEdit(parent, leaf);
  addReview(parent, leaf);
  for (const command of [approve, deny]) {
    command
      .option('--for <person>', 'vote for somebody who has delegated it to you, such as user:alice')
      .option('--break-glass', 'vote under the emergency role; needs a reason and opens a review')
      .option('--digest <hex64>', 'subject digest of what you saw, in full')
      .option('--reason <text>', 'why; kept as a payload, only its commitment is logged')
      .option('--no-continue', 'record the decision only, do not advance the run here');
  }
}

function addInbox(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'inbox',
    'work off what waits for a decision at this terminal; what the group does without a verb',
    'writ approvals',
    async (context, [verb]) => {
      if (verb !== undefined) throw await unknownVerb(parent, verb);
      return (await import('../approvals/inbox.js')).openInbox(context);
    },
    { isDefault: true },
  )
    // What is no verb comes here too.
    .argument('[verb...]')
    .usage('[options]');
}

function addList(parent: Command, leaf: Leaf): void {
  const list = leaf(
    parent,
    'list',
    'list pending approval requests',
    'writ approvals list',
    async (context, _, flags) =>
      (await import('../approvals/list.js')).listApprovals(context, {
        reviews: flags['reviews'] === true,
        stats: flags['stats'] === true,
        ...listFlagsOf(flags),
      }),
  );
  withFormat(withPages(list, 'decided and expired ones too'));
  list
    .option('--reviews', 'emergency decisions that nobody has reviewed')
    // Of all requests there are: of some of them it would say something else than it seems to.
    .addOption(
      new Option('--stats', 'requests per run, decision time, share approved within 2 s').conflicts([
        'all',
        'run',
        'limit',
        'cursor',
        'reviews',
      ]),
    );
}

function addShow(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(
      parent,
      'show',
      'show exactly what would run, and its digest',
      'writ approvals show ID',
      async (context, ids) => (await import('../approvals/show.js')).showApprovals(context, ids),
    ).argument('<id...>', 'approval id; several of one step show the digest that approves them together'),
  );
}

function addApprove(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'approve',
    'approve one request, then go on with its run',
    'writ approvals approve ID --digest HEX64 --key alice.key',
    async (context, ids, flags) => {
      const [id = ''] = ids;
      const approvals = await import('../approvals/approvals.js');
      if (ids.length > 1) return approvals.approveBatch(context, ids, decideFlags(flags));
      return approvals.approve(context, id, decideFlags(flags));
    },
  ).argument('<id...>', 'approval id; several of one step are approved together, each with its own vote');
}

function addDeny(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'deny',
    'deny one request for good, then go on with its run',
    "writ approvals deny ID --reason 'amount is wrong'",
    async (context, [id = ''], flags) =>
      (await import('../approvals/approvals.js')).deny(context, id, decideFlags(flags)),
  ).argument('<id>', 'approval id');
}

function addRevoke(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'revoke',
    'take back an approval that its step has not used yet',
    "writ approvals revoke ID --reason 'the amount is disputed'",
    async (context, [id = ''], flags) =>
      (await import('../approvals/approvals.js')).revoke(context, id, decideFlags(flags)),
  )
    .argument('<id>', 'approval id')
    .option('--reason <text>', 'why; kept as a payload, only its commitment is logged')
    .option('--no-continue', 'record the decision only, do not advance the run here');
}

function addEdit(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'edit',
    'change the input of a pending request; another person approves the new one',
    'writ approvals edit ID --digest HEX64 --input \'{"amount": 900}\'',
    async (context, [id = ''], flags) =>
      (await import('../approvals/approvals.js')).editRequest(context, id, {
        ...textsIn(flags, 'digest', 'input'),
        continue: flags['continue'] !== false,
      }),
  )
    .argument('<id>', 'approval id')
    .option('--digest <hex64>', 'subject digest of what you saw, in full')
    .option('--input <json>', 'what the input is to be: JSON, @FILE or @- for stdin')
    .option('--no-continue', 'record the change only, do not advance the run here');
}

function addReview(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'review',
    'say what became of an emergency decision, and close its review',
    "writ approvals review ID --reason 'the outage was real'",
    async (context, [id = ''], flags) =>
      (await import('../approvals/approvals.js')).review(context, id, textsIn(flags, 'reason')),
  )
    .argument('<id>', 'approval id')
    .option('--reason <text>', 'what you found; kept as a payload, only its commitment is logged');
}

function decideFlags(flags: Flags): DecideFlags {
  return {
    ...textsIn(flags, 'digest', 'reason', 'for'),
    breakGlass: flags['breakGlass'] === true,
    continue: flags['continue'] !== false,
  };
}
