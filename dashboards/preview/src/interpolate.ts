// `$name`, `${name}`, `${name:format}` and `[[name]]`, replaced as Grafana does.

export interface Value {
  text: string[];
  value: string[];
  /** More than one value may be chosen, so in a query it stands in a regular expression. */
  many: boolean;
  /** Stands as it is written: the board's own word for All. */
  raw?: boolean;
}

export type Values = Map<string, Value>;

const REFERENCE = /\$(\w+)|\[\[(\w+)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:}]+))?(?::([^}]+))?\}/g;

/** Names of variables that the text refers to. */
export const references = (text: string) => [...text.matchAll(REFERENCE)].map((m) => m[1] ?? m[2] ?? m[4]);

const regexEscape = (text: string) => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&');

/** Escaped for a regular expression inside a PromQL string. */
const promRegex = (text: string) => text.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');
const promString = (text: string) => text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');

type Format = (found: Value) => string;

/** How a variable stands in a query. */
export const forPrometheus: Format = ({ value, many, raw }) => {
  if (raw) {
    return value[0];
  }
  if (!many) {
    return promString(value[0] ?? '');
  }
  const escaped = value.map(promRegex);
  return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
};

/** How a variable stands in a title or a text. */
export const forPeople: Format = ({ text }) => text.join(' + ');

const FORMATS: Record<string, Format> = {
  raw: ({ value }) => value.join(','),
  csv: ({ value }) => value.join(','),
  pipe: ({ value }) => value.join('|'),
  text: forPeople,
  regex: ({ value, raw }) => {
    const escaped = raw ? value : value.map(regexEscape);
    return escaped.length === 1 ? escaped[0] : `(${escaped.join('|')})`;
  },
  doublequote: ({ value }) => value.map((each) => `"${each.replace(/"/g, '\\"')}"`).join(','),
};

export function interpolate(text: string, values: Values, scoped: Record<string, string>, plain: Format): string {
  return text.replace(REFERENCE, (whole, bare, square, squareFormat, curly, path, curlyFormat) => {
    const name = bare ?? square ?? curly;
    const own = scoped[path ? `${name}.${path}` : name];
    if (own !== undefined) {
      return own;
    }
    const found = values.get(name);
    if (!found || path) {
      return whole;
    }
    const format = squareFormat ?? curlyFormat;
    if (!format) {
      return plain(found);
    }
    if (!FORMATS[format]) {
      throw new Error(`the format of ${whole} is not known to this preview`);
    }
    return FORMATS[format](found);
  });
}
