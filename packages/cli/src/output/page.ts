/** A line of a description: `Release:        v1.35.4`. */
export const field = (name: string, value: string): string => `${`${name}:`.padEnd(16)}${value}`;

const indent = (text: string): string => text.replace(/^/gm, '  ');

/** A part of a description under a title of its own. */
export const part = (title: string, text: string): string[] => ['', `${title}:`, indent(text)];
