// What is to be drawn, read from the address of the page.
import { dateMath, dateTime, type TimeRange } from '@grafana/data';

export interface Request {
  board: string;
  range: TimeRange;
  scrape: string;
  theme: 'dark' | 'light';
  expand: boolean;
  variables: Map<string, string[]>;
}

/** The range ends at `end` (milliseconds) or now; a range not asked for is the board's own. */
export function timeRange(asked: string | null, end: string | null, own?: { from: string; to: string }): TimeRange {
  const now = dateTime(end ? Number(end) : undefined);
  const raw = asked ? { from: `now-${asked}`, to: 'now' } : (own ?? { from: 'now-6h', to: 'now' });
  const from = dateMath.toDateTime(raw.from, { roundUp: false, now: now.toDate() });
  const to = dateMath.toDateTime(raw.to, { roundUp: true, now: now.toDate() });
  if (!from?.isValid() || !to?.isValid()) {
    throw new Error(`not a time range: ${raw.from} to ${raw.to}`);
  }
  return { from, to, raw };
}

export function readRequest(search: string, own?: { from: string; to: string }): Request {
  const asked = new URLSearchParams(search);
  const variables = new Map<string, string[]>();
  for (const [key, value] of asked) {
    if (key.startsWith('var-')) {
      const name = key.slice('var-'.length);
      variables.set(name, [...(variables.get(name) ?? []), value]);
    }
  }
  return {
    board: asked.get('board') ?? '',
    range: timeRange(asked.get('range'), asked.get('end'), own),
    scrape: asked.get('scrape') ?? '5s',
    theme: asked.get('theme') === 'light' ? 'light' : 'dark',
    expand: asked.has('expand'),
    variables,
  };
}
