import type { FastifyTypeProvider } from 'fastify';
import type { z } from 'zod';

/** Types of what comes in follow the zod schemas; what goes out are the kinds' own types. */
export interface InputTypes extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  serializer: unknown;
}
