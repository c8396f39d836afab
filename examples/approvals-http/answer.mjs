// Fills in one form of `writ serve` as the holder of a key file, from anywhere: a token made with the key says who asks,
// the answer itself is signed, and the server believes neither without checking.
//   node answer.mjs SERVER AUDIENCE KEYFILE TASK '{"approved": true}'
// The answer names who gives it: PERSON=user:NAME, else user:bob. With a key that is not theirs it does not hold.
import { createHmac, createPrivateKey, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { taskAnswerBytes } from 'writ/approval';
import { canonicalize } from 'writ/audit';

const [server, audience, keyFile, id, text] = process.argv.slice(2);
if (text === undefined) {
  console.error(`usage: node answer.mjs SERVER AUDIENCE KEYFILE TASK '{"approved": true}'`);
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
  return { authorization: `Bearer ${text}.${sign(null, Buffer.from(text), key).toString('base64url')}` };
}

const shown = await fetch(`${server}/v1/tasks/${id}`, { headers: bearer() });
const task = await shown.json();
if (!shown.ok) throw new Error(JSON.stringify(task));
console.log(JSON.stringify({ step: task.step, input: task.input, form: task.form }, null, 2));

// The answer is not in the log; its commitment is, and that is what is signed: HMAC-SHA-256 under 32 random bytes.
const output = JSON.parse(text);
const salt = randomBytes(32);
const commitment = createHmac('sha256', salt)
  .update(`\0output\0${canonicalize(output)}`)
  .digest('hex');
const at = new Date().toISOString();
const by = process.env.PERSON ?? 'user:bob';
const bytes = taskAnswerBytes({ ...task.question, answer: 'success', by, at, commitment });
const value = sign(null, bytes, key).toString('base64');
const answer = await fetch(`${server}/v1/tasks/success`, {
  method: 'POST',
  headers: { ...bearer(), 'content-type': 'application/json' },
  body: JSON.stringify({
    taskId: id,
    output,
    signature: { keyId: publicKey, at, value, salt: salt.toString('base64') },
  }),
});
console.log(answer.status, JSON.stringify(await answer.json()));
process.exitCode = answer.ok ? 0 : 1;
