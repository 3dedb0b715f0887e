// Prometheus' HTTP API, reached through the server this page came from.
import type { TimeRange } from '@grafana/data';

export interface Series {
  metric: Record<string, string>;
  values: Array<[number, string]>;
}

export interface Answer {
  type: 'matrix' | 'vector' | 'scalar';
  series: Series[];
  warnings: string[];
}

interface Body {
  status: string;
  data?: any;
  error?: string;
  errorType?: string;
  warnings?: string[];
}

const seconds = (ms: number) => String(ms / 1000);

async function call(path: string, params: URLSearchParams, method: 'GET' | 'POST'): Promise<Body> {
  const answer =
    method === 'POST' ? await fetch(path, { method, body: params }) : await fetch(`${path}?${params.toString()}`);
  const text = await answer.text();
  let body: Body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 200)}`);
  }
  if (body.status !== 'success') {
    throw new Error(`${body.errorType ?? answer.status}: ${body.error ?? 'no reason given'}`);
  }
  return body;
}

/** Points from the start to the end of the range, both moved back to a whole step, as Grafana asks for them. */
export async function queryRange(query: string, range: TimeRange, stepMs: number): Promise<Answer> {
  const aligned = (ms: number) => Math.floor(ms / stepMs) * stepMs;
  const start = seconds(aligned(range.from.valueOf()));
  const end = seconds(aligned(range.to.valueOf()));
  const params = new URLSearchParams({ query, start, end, step: seconds(stepMs) });
  return understood(await call('/api/v1/query_range', params, 'POST'));
}

/** The value at the end of the range. */
export async function queryInstant(query: string, range: TimeRange): Promise<Answer> {
  const params = new URLSearchParams({ query, time: seconds(range.to.valueOf()) });
  return understood(await call('/api/v1/query', params, 'POST'));
}

export async function labelValues(label: string, match: string | undefined, range: TimeRange): Promise<string[]> {
  const params = new URLSearchParams({ start: seconds(range.from.valueOf()), end: seconds(range.to.valueOf()) });
  if (match) {
    params.set('match[]', match);
  }
  return (await call(`/api/v1/label/${encodeURIComponent(label)}/values`, params, 'GET')).data;
}

function understood({ data, warnings = [] }: Body): Answer {
  switch (data.resultType) {
    case 'matrix':
      if (data.result.some((series: object) => 'histograms' in series)) {
        throw new Error('native histograms are not drawn by this preview');
      }
      return { type: 'matrix', series: data.result, warnings };
    case 'vector':
      return {
        type: 'vector',
        series: data.result.map((each: any) => ({ metric: each.metric, values: [each.value] })),
        warnings,
      };
    case 'scalar':
      return { type: 'scalar', series: [{ metric: {}, values: [data.result] }], warnings };
    default:
      throw new Error(`a result of type ${data.resultType} is not drawn by this preview`);
  }
}
