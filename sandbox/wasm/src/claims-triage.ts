// claims-triage: reads one claim on stdin, writes {claimId, risk, reasons} on stdout. The rules are these; nothing
// is looked up elsewhere and no clock is read.
//
//   T01 amount above the policy type's review threshold: medium; above its high threshold: high
//         motor 3,000 / 15,000 · home 2,500 / 20,000 · travel 800 / 4,000 · health 1,500 / 10,000
//   T02 amount above the policy's own limit: high
//   T03 a document the kind of claim needs is missing: medium; two or more: high
//   T04 incident outside the policy's period: high
//   T05 incident within 14 days of the policy's start: medium
//   T06 filed before the incident: high; filed more than 60 days after it: medium
//   T07 3 or more claims in the last 12 months: medium; 6 or more: high
//   T08 round amount, a multiple of 500 from 1,000 on: medium
//   T09 payout account shared with other claimants: high
//   T10 kind of claim not covered by the type of policy: high
//   T11 nothing left to pay after the deductible: medium
//
// risk = high with any high finding or three medium ones; medium with any finding; else low.
// A claim that isn't well-formed is no risk class: exit 65 and a line on stderr.
import { Claim, documentsFor, kindsOf, payableCents, readClaim } from './lib/claim';
import { list, ObjectWriter, parse } from './lib/json';
import { readInput, writeOutput } from './lib/process';

const NEW_POLICY_DAYS: i32 = 14;
const LATE_FILING_DAYS: i32 = 60;
const MANY_CLAIMS: i32 = 3;
const VERY_MANY_CLAIMS: i32 = 6;
const ROUND_CENTS: i64 = 500_00;
const ROUND_FROM_CENTS: i64 = 1_000_00;

class Findings {
  reasons: string[] = [];
  high: i32 = 0;
  medium: i32 = 0;

  add(rule: string, isHigh: bool, text: string): void {
    if (isHigh) this.high++;
    else this.medium++;
    const reason = new ObjectWriter();
    reason
      .text('rule', rule)
      .text('severity', isHigh ? 'high' : 'medium')
      .text('text', text);
    this.reasons.push(reason.toString());
  }

  risk(): string {
    if (this.high > 0 || this.medium >= 3) return 'high';
    return this.medium > 0 ? 'medium' : 'low';
  }
}

function reviewCents(policyType: string): i64 {
  if (policyType == 'motor') return 3_000_00;
  if (policyType == 'home') return 2_500_00;
  if (policyType == 'travel') return 800_00;
  return 1_500_00;
}

function highCents(policyType: string): i64 {
  if (policyType == 'motor') return 15_000_00;
  if (policyType == 'home') return 20_000_00;
  if (policyType == 'travel') return 4_000_00;
  return 10_000_00;
}

function examine(claim: Claim): Findings {
  const found = new Findings();
  const type = claim.policyType;
  if (claim.cents > highCents(type)) found.add('T01', true, 'amount above the high threshold for ' + type);
  else if (claim.cents > reviewCents(type)) {
    found.add('T01', false, 'amount above the review threshold for ' + type);
  }
  if (claim.cents > claim.limitCents) found.add('T02', true, 'amount above the limit of the policy');

  const missing: string[] = [];
  const needed = documentsFor(claim.kind)!;
  for (let i = 0; i < needed.length; i++) {
    if (!claim.documents.includes(needed[i])) missing.push(needed[i]);
  }
  if (missing.length > 0) found.add('T03', missing.length > 1, 'missing: ' + missing.join(', '));

  const age = claim.incidentDay - claim.policyStartDay;
  if (age < 0 || claim.incidentDay > claim.policyEndDay) {
    found.add('T04', true, 'incident outside the period of the policy');
  } else if (age <= NEW_POLICY_DAYS) {
    found.add('T05', false, 'incident ' + age.toString() + ' days after the start of the policy');
  }
  const delay = claim.filedDay - claim.incidentDay;
  if (delay < 0) found.add('T06', true, 'filed before the incident');
  else if (delay > LATE_FILING_DAYS)
    found.add('T06', false, 'filed ' + delay.toString() + ' days after the incident');

  if (claim.recentClaims >= MANY_CLAIMS) {
    const text = claim.recentClaims.toString() + ' claims in the last 12 months';
    found.add('T07', claim.recentClaims >= VERY_MANY_CLAIMS, text);
  }
  if (claim.cents >= ROUND_FROM_CENTS && claim.cents % ROUND_CENTS == 0) {
    found.add('T08', false, 'round amount');
  }
  if (claim.accountSharedWith > 0) {
    found.add(
      'T09',
      true,
      'payout account shared with ' + claim.accountSharedWith.toString() + ' other claimants',
    );
  }
  if (!kindsOf(type)!.includes(claim.kind))
    found.add('T10', true, claim.kind + ' is not covered by a ' + type + ' policy');
  if (payableCents(claim) == 0) found.add('T11', false, 'nothing left to pay after the deductible');
  return found;
}

const claim = readClaim(parse(readInput()));
const found = examine(claim);
writeOutput(
  new ObjectWriter()
    .text('claimId', claim.id)
    .text('risk', found.risk())
    .raw('reasons', list(found.reasons))
    .toString(),
);
