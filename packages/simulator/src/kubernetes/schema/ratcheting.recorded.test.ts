import { describe, expect, it } from 'vitest';
import recorded from './fixtures/ratcheting.json' with { type: 'json' };
import { compileSchema } from './index.ts';
import type { JsonObject } from './json.ts';

interface Update {
  name: string;
  after: JsonObject;
  create?: boolean;
  causes: { reason: string; field: string; message: string }[];
}

/** An object that was good when it was stored, and updates of it after the schema became stricter. */
describe(`what did not change is not judged again, as by ${recorded.server}`, () => {
  const schema = compileSchema(recorded.schema);
  it.each(recorded.updates as unknown as Update[])('$name', ({ after, create, causes }) => {
    const old = create ? undefined : { spec: structuredClone(recorded.old) };
    const errors = schema.validate({ spec: structuredClone(after) }, old);
    expect(errors.map(({ type, field, message }) => `${type} ${field} ${message}`)).toEqual(
      causes.map(({ reason, field, message }) => `${reason} ${field} ${message}`),
    );
  });
});
