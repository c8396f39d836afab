// Writes audit/vectors: logs, good and tampered, proofs, bundles, notes, each with the verdict a verifier must reach.
// Keys are made of fixed seeds and time is fixed, so the same bytes come out each time: run it, look at what changed.
// Hashes and paths come from the second verifier; nothing of src is used.
import { sizes } from './make-vectors/sizes.mjs';
import { tampered } from './make-vectors/tampered.mjs';
import { entries } from './make-vectors/entries.mjs';
import { meaning } from './make-vectors/meaning.mjs';
import { keys } from './make-vectors/keys.mjs';
import { witnesses } from './make-vectors/witnesses.mjs';
import { payloads } from './make-vectors/payloads.mjs';
import { proofs } from './make-vectors/proofs.mjs';
import { evidence } from './make-vectors/evidence.mjs';
import { notes } from './make-vectors/notes.mjs';
import { policies } from './make-vectors/policies.mjs';
import { signatures } from './make-vectors/signatures.mjs';

for (const make of [
  sizes,
  tampered,
  entries,
  meaning,
  keys,
  witnesses,
  payloads,
  proofs,
  evidence,
  notes,
  policies,
  signatures,
])
  make();
