/** Records what a real registry answers: `node record.ts URL URL_WITH_USERS > recorded.json`, each of them empty. */
import { replay } from './exchanges.ts';
import { commonStory, usersStory } from './stories.ts';

const [open, guarded] = process.argv.slice(2);
if (!open || !guarded) throw new Error('usage: record.ts URL URL_WITH_USERS');
console.log(
  JSON.stringify({ common: await replay(open, commonStory), users: await replay(guarded, usersStory) }, null, 2),
);
