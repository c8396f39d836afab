// Decides one request of `writ serve` as the holder of a key file, from anywhere: a token made with the key says who
// looks, the decision itself is signed, and the server believes neither without checking.
//   node decide.mjs SERVER AUDIENCE KEYFILE APPROVAL approve|deny [REASON]
// The decision names who makes it: PERSON=user:NAME, else user:bob. With a key that is not theirs it does not hold.
import { createHmac, createPrivateKey, randomBytes, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decisionBytes } from 'writ/approval';

const [server, audience, keyFile, id, decision, reason = null] = process.argv.slice(2);
if (decision === undefined) {
  console.error('usage: node decide.mjs SERVER AUDIENCE KEYFILE APPROVAL approve|deny [REASON]');
  console.error('PERSON=user:NAME says whose key it is; without it, user:bob');
  process.exit(2);
}
const { publicKey, privateKey } = JSON.parse(readFileSync(keyFile, 'utf8'));
const key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' });

/** Who asks, for five minutes; `writ keys token` makes the same. */
function bearer() {
  const iat = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'EdDSA', typ: 'writ-key+jwt', kid: publicKey },
    { iss: 'writ:key', aud: audience, iat, exp: iat + 300 },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const text = parts.join('.');
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

const shown = await fetch(`${server}/v1/approvals/${id}`, {
  headers: { authorization: `Bearer ${bearer()}` },
});
const request = await shown.json();
if (!shown.ok) throw new Error(JSON.stringify(request));
console.log(request.display.join('\n'));

// A reason is not in the log; its commitment is, and that is what is signed: HMAC-SHA-256 under 32 random bytes.
const salt = reason === null ? null : randomBytes(32);
const payload = reason === null ? null : `\0reason\0${JSON.stringify({ text: reason })}`;
const at = new Date().toISOString();
const value = sign(
  null,
  decisionBytes({
    approvalId: id,
    subjectDigest: request.subjectDigest,
    decision,
    approver: process.env.PERSON ?? 'user:bob',
    at,
    expiresAt: request.expiresAt,
    reasonCommitment: salt === null ? null : createHmac('sha256', salt).update(payload).digest('hex'),
  }),
  key,
).toString('base64');
const answer = await fetch(`${server}/v1/approvals/${id}/decisions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
  body: JSON.stringify({
    decision,
    digest: request.subjectDigest,
    ...(reason === null ? {} : { reason }),
    signature: {
      keyId: publicKey,
      at,
      value,
      ...(salt === null ? {} : { reasonSalt: salt.toString('base64') }),
    },
  }),
});
console.log(answer.status, JSON.stringify(await answer.json()));
process.exitCode = answer.ok ? 0 : 1;
