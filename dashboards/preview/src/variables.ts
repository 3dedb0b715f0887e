// The board's variables: what each may be, and what it is in this picture.
import { rangeUtil, stringToJsRegex, type TimeRange } from '@grafana/data';
import { VariableSort, type VariableModel } from '@grafana/schema';
import { around } from './interval';
import { forPrometheus, interpolate, references, type Value, type Values } from './interpolate';
import { labelValues, queryInstant } from './prometheus';

export const ALL = '$__all';

interface Option {
  text: string;
  value: string;
}

const LABEL_VALUES = /^label_values\((?:(.+),)?\s*([a-zA-Z_$][a-zA-Z0-9_]*)\s*\)\s*$/s;
const QUERY_RESULT = /^query_result\((.+)\)\s*$/s;

/** Every variable in the order in which they need each other. */
export async function resolveVariables(list: VariableModel[], asked: Map<string, string[]>, range: TimeRange) {
  const unknown = [...asked.keys()].filter((name) => !list.some((model) => model.name === name));
  if (unknown.length) {
    throw new Error(`no such variable: ${unknown.join(', ')}`);
  }
  const values: Values = new Map();
  const begun = new Set<string>();
  const resolve = async (model: VariableModel): Promise<void> => {
    if (begun.has(model.name)) {
      return;
    }
    begun.add(model.name);
    const needed = references(queryOf(model) + (model.regex ?? ''));
    for (const other of list.filter((each) => needed.includes(each.name))) {
      await resolve(other);
    }
    values.set(model.name, choose(model, await options(model, values, range), asked.get(model.name)));
  };
  for (const model of list) {
    await resolve(model);
  }
  return values;
}

const queryOf = ({ query }: VariableModel) => (typeof query === 'string' ? query : String(query?.query ?? ''));

const same = (value: string): Option => ({ text: value, value });

async function options(model: VariableModel, values: Values, range: TimeRange): Promise<Option[]> {
  const query = queryOf(model);
  switch (model.type) {
    case 'datasource':
      return [{ text: query.charAt(0).toUpperCase() + query.slice(1), value: query }];
    case 'constant':
    case 'textbox':
      return [same(query)];
    case 'interval':
      return [...autoInterval(model, range), ...query.split(',').map((each) => same(each.trim()))];
    case 'custom':
      return customOptions(interpolate(query, values, around(range), forPrometheus));
    case 'query':
      return sorted(matching(await asked(query, values, range), model.regex), model.sort);
    default:
      throw new Error(`variable ${model.name}: type ${model.type} is not known to this preview`);
  }
}

const AUTO = '$__auto';

/** An interval variable's own "auto": what cuts the range into so many parts. */
function autoInterval(model: VariableModel, range: TimeRange): Option[] {
  const { auto, auto_count: count = 30, auto_min: least = '10s' } = model as unknown as Record<string, never>;
  return auto ? [{ text: 'auto', value: rangeUtil.calculateInterval(range, count, least).interval }] : [];
}

/** `a, b : c`: commas part them, a text may stand before its value, a comma may be escaped. */
function customOptions(query: string): Option[] {
  return [...query.matchAll(/(?:\\,|[^,])+/g)].map(([each]) => {
    const [text, value] = each.replace(/\\,/g, ',').split(/\s+:\s+/);
    return { text: text.trim(), value: (value ?? text).trim() };
  });
}

async function asked(written: string, values: Values, range: TimeRange): Promise<Option[]> {
  const query = interpolate(written, values, around(range), forPrometheus).trim();
  const labels = LABEL_VALUES.exec(query);
  if (labels) {
    return (await labelValues(labels[2], labels[1]?.trim(), range)).map(same);
  }
  const result = QUERY_RESULT.exec(query);
  if (result) {
    const { series } = await queryInstant(result[1], range);
    return series.map(({ metric, values: [[time, value]] }) => {
      const { __name__ = '', ...rest } = metric;
      const inside = Object.entries(rest).map(([key, each]) => `${key}="${each}"`);
      return same(`${__name__}{${inside.join(',')}} ${value} ${time * 1000}`);
    });
  }
  throw new Error(`the variable query ${query} is not known to this preview`);
}

/** The regular expression keeps what matches; a group in it is the value, groups of that name text and value. */
function matching(found: Option[], regex?: string): Option[] {
  if (!regex) {
    return found;
  }
  const kept = new Map<string, Option>();
  for (const { value } of found) {
    const match = stringToJsRegex(regex).exec(value);
    if (match) {
      const inner = match.groups?.value ?? match.groups?.text ?? match[1] ?? match[0];
      kept.set(inner, { text: match.groups?.text ?? inner, value: inner });
    }
  }
  return [...kept.values()];
}

const NATURAL = new Intl.Collator('en', { numeric: true });
const ORDERS: Record<number, (a: Option, b: Option) => number> = {
  [VariableSort.alphabeticalAsc]: (a, b) => (a.text < b.text ? -1 : 1),
  [VariableSort.alphabeticalDesc]: (a, b) => (a.text < b.text ? 1 : -1),
  [VariableSort.numericalAsc]: (a, b) => parseFloat(a.text) - parseFloat(b.text),
  [VariableSort.numericalDesc]: (a, b) => parseFloat(b.text) - parseFloat(a.text),
  [VariableSort.alphabeticalCaseInsensitiveAsc]: (a, b) => (a.text.toLowerCase() < b.text.toLowerCase() ? -1 : 1),
  [VariableSort.alphabeticalCaseInsensitiveDesc]: (a, b) => (a.text.toLowerCase() < b.text.toLowerCase() ? 1 : -1),
  [VariableSort.naturalAsc]: (a, b) => NATURAL.compare(a.text, b.text),
  [VariableSort.naturalDesc]: (a, b) => NATURAL.compare(b.text, a.text),
};

const sorted = (found: Option[], sort?: VariableSort) =>
  sort && ORDERS[sort] ? [...found].sort(ORDERS[sort]) : found;

const list = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());

/** What was asked for, else what the board has stored if there still is such, else All, else the first. */
function choose(model: VariableModel, found: Option[], asked?: string[]): Value {
  const many = Boolean(model.multi || model.includeAll);
  const all = (): Value => ({
    text: ['All'],
    value: model.allValue ? [model.allValue] : found.map((each) => each.value),
    many,
    raw: Boolean(model.allValue),
  });
  if (model.type === 'constant' || model.type === 'textbox' || model.type === 'datasource') {
    const value = asked ?? found.map((each) => each.value);
    return { text: asked ?? found.map((each) => each.text), value, many };
  }
  const stored = list(model.current?.value).map((value) => (value.startsWith(AUTO) ? 'auto' : value));
  const wanted = asked ?? stored.filter((value) => value === ALL || known(found, value));
  if (model.includeAll && (wanted.includes(ALL) || wanted.includes('All') || !wanted.length)) {
    return all();
  }
  const missing = wanted.filter((value) => !known(found, value));
  if (missing.length) {
    const offered = found.map((each) => each.value).join(', ') || 'nothing';
    throw new Error(`variable ${model.name} cannot be ${missing.join(', ')}: there is ${offered}`);
  }
  const chosen = wanted.length ? wanted : found.slice(0, 1).map((each) => each.value);
  const options = chosen.map((value) => known(found, value)!);
  return { text: options.map((each) => each.text), value: options.map((each) => each.value), many };
}

const known = (found: Option[], value: string) => found.find((each) => each.value === value || each.text === value);
