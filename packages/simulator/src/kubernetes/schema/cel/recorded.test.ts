import { describe, expect, it } from 'vitest';
import recorded from '../fixtures/cel.json' with { type: 'json' };
import { compileSchema, type FieldError } from '../index.ts';

interface Expression {
  rule: string;
  holds?: boolean;
  error?: string;
  compile?: string[];
}

interface SchemaAnswer {
  name: string;
  schema: object;
  code: number;
  causes?: { reason: string; field: string; message: string }[];
}

const withRule = (rule: string): ReturnType<typeof compileSchema> =>
  compileSchema({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: recorded.properties,
        'x-kubernetes-validations': [{ rule, message: 'broken' }],
      },
    },
  });

/** Cost budgets are not kept here: a rule that is refused there for its estimated cost alone compiles here. */
const isCost = (message: string): boolean => message.includes('rule cost');
const expressions = recorded.expressions as unknown as Expression[];

describe(`CEL rules are evaluated as by ${recorded.server}`, () => {
  it.each(expressions.filter(({ compile }) => compile === undefined))('$rule', ({ rule, holds, error }) => {
    const schema = withRule(rule);
    expect(schema.schemaErrors()).toEqual([]);
    const messages = schema.validate({ spec: structuredClone(recorded.object) }).map(({ message }) => message);
    if (error === undefined) expect(messages).toEqual(holds ? [] : ['Invalid value: broken']);
    else expect(messages).toEqual([`${error}broken`]);
  });

  const refused = expressions.filter(
    ({ compile, rule }) => compile?.some((m) => !isCost(m)) && !TAKEN_HERE.includes(rule),
  );
  it.each(refused)('does not compile: $rule', ({ rule, compile }) => {
    const errors = withRule(rule).schemaErrors();
    expect(errors.map(({ message }) => place(message))).toEqual(compile!.map(place));
  });
});

/** The parser's own words for a syntax error or a broken expression are not the point, that it is one is. */
const comparable = (text: string): string =>
  text.replace(/(Syntax error: |isn't: )[\s\S]*/, '$1...').replace(/\nERROR:[\s\S]*/, '');

/** Rules that compile here although the real server refuses them: lists of mixed types, and `cel.bind`. */
const TAKEN_HERE = ["[1, 'a'].size() == 2", 'cel.bind(x, self.i, x + x == 10)'];

/** What is wrong and where in the rule; how the rule itself is printed before it is another test's subject. */
const place = (message: string): string => message.slice(message.indexOf('}: ') + 3).split('\n')[0]!;

describe(`schemas are accepted and refused as by ${recorded.server}`, () => {
  const answers = recorded.schemas as unknown as SchemaAnswer[];
  const finding = ({ type, field, message }: FieldError): string => `${type} ${field}: ${message}`;
  it.each(answers)('$name', ({ schema, causes = [] }) => {
    const theirs = causes.map(({ reason, field, message }) =>
      finding({ type: reason as FieldError['type'], field, message }),
    );
    const ours = compileSchema(schema).schemaErrors('spec.validation.openAPIV3Schema').map(finding);
    expect(ours.map(comparable)).toEqual(theirs.map(comparable));
  });
});
