// Puts artifacts one after the other until it is killed, and says which have been acknowledged.
import { openArtifacts } from '../../dist/adapters/store/artifacts.js';

const UNSAID = { labels: null, classification: null };

const [directory] = process.argv.slice(2);
const store = openArtifacts(directory);
for (let at = 0; ; at += 1) {
  const digest = await store.put(
    new TextEncoder().encode(`artifact ${at} `.repeat(2_000)),
    `claims/${at}`,
    UNSAID,
  );
  process.stdout.write(`${at} ${digest}\n`);
}
