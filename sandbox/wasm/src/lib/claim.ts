// A claim as the agents read it: every field checked once, amounts in cents, dates as day numbers. A claim that
// isn't one ends the process with EXIT_BAD_DATA and a line that names the field, never its value.
import { Json, Kind } from './json';
import { EXIT_BAD_DATA, fail } from './process';

const MAX_TEXT: i32 = 200;
/** Ten thousand million, in cents: larger amounts are typing errors. */
const MAX_CENTS: i64 = 1_000_000_000_000;

export class Claim {
  id: string = '';
  kind: string = '';
  cents: i64 = 0;
  currency: string = '';
  incidentDay: i32 = 0;
  filedDay: i32 = 0;
  documents: string[] = [];
  policyType: string = '';
  policyStartDay: i32 = 0;
  policyEndDay: i32 = 0;
  limitCents: i64 = 0;
  deductibleCents: i64 = 0;
  recentClaims: i32 = 0;
  accountSharedWith: i32 = 0;
}

/** Kinds of claim each type of policy covers. */
export function kindsOf(policyType: string): string[] | null {
  if (policyType == 'motor') return ['collision', 'theft', 'glass'];
  if (policyType == 'home') return ['water-damage', 'fire', 'theft', 'glass'];
  if (policyType == 'travel') return ['medical', 'baggage', 'cancellation'];
  if (policyType == 'health') return ['medical'];
  return null;
}

/** Documents a kind of claim needs. */
export function documentsFor(kind: string): string[] | null {
  if (kind == 'collision') return ['accident-report', 'photos', 'repair-estimate'];
  if (kind == 'theft') return ['police-report', 'proof-of-ownership'];
  if (kind == 'glass') return ['photos', 'invoice'];
  if (kind == 'water-damage') return ['photos', 'repair-estimate'];
  if (kind == 'fire') return ['fire-report', 'photos', 'repair-estimate'];
  if (kind == 'medical') return ['invoice', 'medical-report'];
  if (kind == 'baggage') return ['irregularity-report', 'proof-of-ownership'];
  if (kind == 'cancellation') return ['booking-confirmation', 'cancellation-proof'];
  return null;
}

export function readClaim(value: Json): Claim {
  if (value.kind != Kind.Object) bad('claim', 'must be an object');
  const claim = new Claim();
  claim.id = text(value, 'id', 'claim.id');
  claim.kind = text(value, 'kind', 'claim.kind');
  if (documentsFor(claim.kind) === null) bad('claim.kind', 'is no kind of claim we know');
  claim.cents = cents(value, 'amount', 'claim.amount');
  if (claim.cents == 0) bad('claim.amount', 'must be above 0');
  claim.currency = text(value, 'currency', 'claim.currency');
  if (!isCurrency(claim.currency)) bad('claim.currency', 'must be three capital letters');
  claim.incidentDay = day(value, 'incidentDate', 'claim.incidentDate');
  claim.filedDay = day(value, 'filedDate', 'claim.filedDate');
  claim.documents = texts(value, 'documents', 'claim.documents');

  const policy = object(value, 'policy', 'claim.policy');
  claim.policyType = text(policy, 'type', 'claim.policy.type');
  if (kindsOf(claim.policyType) === null) bad('claim.policy.type', 'is no type of policy we know');
  claim.policyStartDay = day(policy, 'startDate', 'claim.policy.startDate');
  claim.policyEndDay = day(policy, 'endDate', 'claim.policy.endDate');
  if (claim.policyEndDay < claim.policyStartDay) bad('claim.policy.endDate', 'is before the start');
  claim.limitCents = cents(policy, 'limit', 'claim.policy.limit');
  claim.deductibleCents = cents(policy, 'deductible', 'claim.policy.deductible');

  const claimant = object(value, 'claimant', 'claim.claimant');
  text(claimant, 'name', 'claim.claimant.name');
  claim.recentClaims = count(claimant, 'recentClaims', 'claim.claimant.recentClaims');
  const payout = object(value, 'payout', 'claim.payout');
  text(payout, 'account', 'claim.payout.account');
  claim.accountSharedWith = count(payout, 'accountSharedWith', 'claim.payout.accountSharedWith');
  return claim;
}

/** What the policy pays: the amount up to its limit, less the deductible; never below 0. */
export function payableCents(claim: Claim): i64 {
  const covered = claim.cents < claim.limitCents ? claim.cents : claim.limitCents;
  return covered > claim.deductibleCents ? covered - claim.deductibleCents : 0;
}

/** `1250.50`; without a fraction when there is none. */
export function amountText(cents: i64): string {
  const rest = cents % 100;
  const whole = (cents / 100).toString();
  if (rest == 0) return whole;
  return whole + '.' + (rest < 10 ? '0' : '') + rest.toString();
}

function bad(path: string, what: string): void {
  fail(EXIT_BAD_DATA, path + ' ' + what);
}

function member(value: Json, name: string, path: string): Json {
  const found = value.get(name);
  if (found === null) bad(path, 'is missing');
  return found!;
}

function object(value: Json, name: string, path: string): Json {
  const found = member(value, name, path);
  if (found.kind != Kind.Object) bad(path, 'must be an object');
  return found;
}

function text(value: Json, name: string, path: string): string {
  const found = member(value, name, path);
  if (found.kind != Kind.Text) bad(path, 'must be a string');
  if (found.text.length == 0 || found.text.length > MAX_TEXT) bad(path, 'must have 1 to 200 characters');
  return found.text;
}

function texts(value: Json, name: string, path: string): string[] {
  const found = member(value, name, path);
  if (found.kind != Kind.List) bad(path, 'must be a list of strings');
  const out: string[] = [];
  for (let i = 0; i < found.items.length; i++) {
    if (found.items[i].kind != Kind.Text) bad(path, 'must be a list of strings');
    out.push(found.items[i].text);
  }
  return out;
}

function count(value: Json, name: string, path: string): i32 {
  const found = member(value, name, path);
  if (found.kind != Kind.Number || found.text.length > 6 || !isDigits(found.text)) {
    bad(path, 'must be a whole number, 0 or more');
  }
  return <i32>parseInt(found.text, 10);
}

/** Read from the digits as written: no double in between. */
function cents(value: Json, name: string, path: string): i64 {
  const found = member(value, name, path);
  if (found.kind != Kind.Number) bad(path, 'must be a number');
  const parts = found.text.split('.');
  const fraction = parts.length > 1 ? parts[1] : '';
  if (
    !isDigits(parts[0]) ||
    parts[0].length > 12 ||
    fraction.length > 2 ||
    (fraction.length > 0 && !isDigits(fraction))
  ) {
    bad(path, 'must be an amount of 0 or more with at most two decimals');
  }
  const whole = I64.parseInt(parts[0], 10) * 100;
  const rest = fraction.length == 0 ? 0 : I64.parseInt(fraction, 10) * (fraction.length == 1 ? 10 : 1);
  if (whole + rest > MAX_CENTS) bad(path, 'is too large');
  return whole + rest;
}

/** Days since 1970-01-01 of a `YYYY-MM-DD` in the Gregorian calendar. */
function day(value: Json, name: string, path: string): i32 {
  const date = text(value, name, path);
  const wellFormed =
    date.length == 10 &&
    date.charCodeAt(4) == 0x2d &&
    date.charCodeAt(7) == 0x2d &&
    isDigits(date.substring(0, 4)) &&
    isDigits(date.substring(5, 7)) &&
    isDigits(date.substring(8));
  if (!wellFormed) bad(path, 'must be a date, YYYY-MM-DD');
  const year = <i32>parseInt(date.substring(0, 4), 10);
  const month = <i32>parseInt(date.substring(5, 7), 10);
  const dayOfMonth = <i32>parseInt(date.substring(8), 10);
  if (month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > daysIn(year, month)) {
    bad(path, 'is no day of the calendar');
  }
  // Years begin in March, so that the leap day is the last of the year.
  const y = month <= 2 ? year - 1 : year;
  const shifted = (month + 9) % 12;
  const dayOfYear = (153 * shifted + 2) / 5 + dayOfMonth - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 + dayOfYear - 719468;
}

function daysIn(year: i32, month: i32): i32 {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

function isCurrency(value: string): bool {
  if (value.length != 3) return false;
  for (let i = 0; i < 3; i++) {
    const c = value.charCodeAt(i);
    if (c < 0x41 || c > 0x5a) return false;
  }
  return true;
}

function isDigits(value: string): bool {
  if (value.length == 0) return false;
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return true;
}
