// human-review-assistant: reads {claim, triage} or {claim, error} on stdin, writes {decision: "reviewed", claimId,
// summary, checklist} on stdout: the memo a person signs off. It must cope with the very claims triage refused, so
// it reads leniently: what is absent or of another type is called unknown. It judges nothing.
import { Json, Kind, list, ObjectWriter, parse, quote } from './lib/json';
import { EXIT_BAD_DATA, fail, readInput, writeOutput } from './lib/process';
import { triageOf } from './lib/triage';

const MAX_QUOTED: i32 = 120;
const MAX_FINDINGS: i32 = 20;

/** A string or number of the input, cut to a length a memo can hold. */
function shown(value: Json | null): string {
  if (value === null || value.text.length == 0 || (value.kind != Kind.Text && value.kind != Kind.Number)) {
    return 'unknown';
  }
  return value.text.length <= MAX_QUOTED ? value.text : value.text.substring(0, MAX_QUOTED) + '…';
}

function field(value: Json | null, name: string): string {
  return shown(value === null ? null : value.get(name));
}

function memo(input: Json): string {
  if (input.kind != Kind.Object) fail(EXIT_BAD_DATA, 'input must be an object with a claim');
  const claim = input.get('claim');
  const triage = triageOf(input);
  const error = input.get('error');
  if (claim === null) fail(EXIT_BAD_DATA, 'claim is missing');

  const checklist: string[] = [];
  let verdict = 'no triage result';
  if (triage !== null) {
    verdict = 'triage risk ' + field(triage, 'risk');
    const reasons = triage.get('reasons');
    if (reasons !== null && reasons.kind == Kind.List) {
      for (let i = 0; i < reasons.items.length && i < MAX_FINDINGS; i++) {
        const reason = reasons.items[i];
        checklist.push(quote('check ' + field(reason, 'rule') + ': ' + field(reason, 'text')));
      }
    }
  } else if (error !== null) {
    verdict = 'triage failed with ' + field(error, 'Error');
    checklist.push(quote('read the claim by hand: triage did not finish'));
    checklist.push(quote('complete or correct the fields triage names: ' + field(error, 'Cause')));
  }
  checklist.push(quote('compare the claimant and the payout account with the policy record'));
  checklist.push(quote('compare the amount with the documents'));
  checklist.push(quote('record the reason for the decision'));

  const policy = claim!.get('policy');
  const summary =
    'claim ' +
    field(claim, 'id') +
    ' (' +
    field(policy, 'type') +
    ', ' +
    field(claim, 'kind') +
    ') over ' +
    field(claim, 'amount') +
    ' ' +
    field(claim, 'currency') +
    ', filed ' +
    field(claim, 'filedDate') +
    ': ' +
    verdict;
  return new ObjectWriter()
    .text('decision', 'reviewed')
    .text('claimId', field(claim, 'id'))
    .text('summary', summary)
    .raw('checklist', list(checklist))
    .toString();
}

writeOutput(memo(parse(readInput())));
