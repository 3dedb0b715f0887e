// How far apart points are asked for, as Grafana's Prometheus data source reckons it.
import { rangeUtil, type TimeRange } from '@grafana/data';

/** A duration as Prometheus reads it. */
export const duration = (ms: number) => (ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`);

export interface Step {
  stepMs: number;
  /** What `$__interval` and its like stand for. */
  scoped: Record<string, string>;
}

/** `least` is the panel's or the query's own smallest interval; the scrape interval is the data source's. */
export function stepFor(range: TimeRange, points: number, scrape: string, least?: { panel?: string; query?: string }) {
  const limit = least?.query || least?.panel || scrape;
  const stepMs = rangeUtil.calculateInterval(range, points, limit).intervalMs;
  const scrapeMs = rangeUtil.intervalToMs(least?.query || scrape);
  const rateMs = Math.max(stepMs + scrapeMs, 4 * scrapeMs);
  return { stepMs, scoped: { ...around(range), ...between('interval', stepMs), ...between('rate_interval', rateMs) } };
}

const between = (name: string, ms: number) => ({ [`__${name}`]: duration(ms), [`__${name}_ms`]: String(ms) });

/** What stands for the time range alone. */
export function around(range: TimeRange): Record<string, string> {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const seconds = Math.round((to - from) / 1000);
  return {
    __from: String(from),
    __to: String(to),
    __range: `${seconds}s`,
    __range_s: String(seconds),
    __range_ms: String(seconds * 1000),
    __url_time_range: new URLSearchParams({ from: written(range.raw.from), to: written(range.raw.to) }).toString(),
  };
}

const written = (time: TimeRange['raw']['from']) => (typeof time === 'string' ? time : String(time.valueOf()));
