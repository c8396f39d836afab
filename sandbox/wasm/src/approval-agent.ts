// approval-agent: reads {claim, triage} on stdin, writes {decision: "approved", claimId, amount, currency,
// reference} on stdout. It approves what triage found to be of low risk and refuses everything else (exit 77): the
// flow decides who is asked, the agent doesn't trust the flow. The amount is what the policy pays, not what is asked.
import { amountText, payableCents, readClaim } from './lib/claim';
import { ObjectWriter, parse } from './lib/json';
import { EXIT_BAD_DATA, EXIT_DENIED, fail, readInput, writeOutput } from './lib/process';
import { triageOf } from './lib/triage';

/** FNV-1a, 32 bits: tells two references apart at a glance, proves nothing. */
function checksum(text: string): string {
  let hash: u32 = 2166136261;
  for (let i = 0; i < text.length; i++) hash = (hash ^ text.charCodeAt(i)) * 16777619;
  return hash.toString(16).padStart(8, '0');
}

const input = parse(readInput());
const triage = triageOf(input);
if (triage === null) fail(EXIT_DENIED, 'refused: there is no triage result');
if (triage!.textOf('risk') != 'low') fail(EXIT_DENIED, 'refused: triage.risk is not low');
const claimValue = input.get('claim');
if (claimValue === null) fail(EXIT_BAD_DATA, 'claim is missing');
const claim = readClaim(claimValue!);
if (triage!.textOf('claimId') != claim.id) fail(EXIT_DENIED, 'refused: triage is about another claim');
const payable = payableCents(claim);
if (payable == 0) fail(EXIT_DENIED, 'refused: nothing left to pay after the deductible');
const amount = amountText(payable);
writeOutput(
  new ObjectWriter()
    .text('decision', 'approved')
    .text('claimId', claim.id)
    .raw('amount', amount)
    .text('currency', claim.currency)
    .text('reference', 'APR-' + claim.id + '-' + checksum(claim.id + '|' + amount + '|' + claim.currency))
    .toString(),
);
