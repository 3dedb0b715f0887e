// Prometheus' answers as Grafana's data frames, one a series, named as its Prometheus data source names them.
import { FieldType, getFieldDisplayName, type DataFrame, type Field, type Labels } from '@grafana/data';
import type { Answer, Series } from './prometheus';

export interface Source {
  refId: string;
  expr: string;
  legend?: string;
  stepMs: number;
}

export const TIME = 'Time';
export const VALUE = 'Value';
const AUTO = '__auto';

export function toFrames(answer: Answer, source: Source): DataFrame[] {
  const frames = answer.series.map((series) => toFrame(series, answer, source));
  return frames.length ? frames : [{ refId: source.refId, fields: [], length: 0 }];
}

function toFrame({ metric, values }: Series, { type }: Answer, source: Source): DataFrame {
  const time: Field = {
    name: TIME,
    type: FieldType.time,
    config: type === 'matrix' ? { interval: source.stepMs } : {},
    values: values.map(([seconds]) => seconds * 1000),
  };
  const value: Field = {
    name: metric.__name__ ?? VALUE,
    type: FieldType.number,
    config: {},
    labels: metric,
    values: values.map(([, text]) => parseSample(text)),
  };
  const frame: DataFrame = { refId: source.refId, fields: [time, value], length: values.length };
  const named = seriesName(metric, source);
  if (named) {
    value.config.displayNameFromDS = named;
  } else if (metric.__name__) {
    value.config.displayNameFromDS = getFieldDisplayName({ ...value, name: VALUE }, frame);
  }
  return frame;
}

/** Infinities are spelled in Prometheus' own way. */
export function parseSample(text: string): number {
  const infinite = /^([+-]?)inf/i.exec(text);
  return infinite ? (infinite[1] === '-' ? -Infinity : Infinity) : Number(text);
}

/** The legend as its template fills it; without a template the whole series; none where Grafana shall choose. */
function seriesName(labels: Labels, { legend, expr }: Source): string {
  if (legend === AUTO && Object.keys(labels).length) {
    return '';
  }
  if (legend && legend !== AUTO) {
    return legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  const { __name__ = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return __name__ + (pairs.length ? `{${pairs.sort().join(', ')}}` : '') || expr;
}
