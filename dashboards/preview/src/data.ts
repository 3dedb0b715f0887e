// One panel's data: its queries asked, its transformations applied, its field options filled in.
import {
  applyFieldOverrides,
  getPanelOptionsWithDefaults,
  type DataFrame,
  type DataTransformerConfig,
  type GrafanaTheme2,
  type PanelPlugin,
  type ScopedVars,
} from '@grafana/data';
import type { Panel } from '@grafana/schema';
import { fieldScope } from './field-scope';
import { toFrames } from './frames';
import { forPeople, forPrometheus, interpolate, type Values } from './interpolate';
import { stepFor } from './interval';
import { queryInstant, queryRange } from './prometheus';
import type { Request } from './request';
import { toTables } from './tables';
import { transform } from './transformations';

export interface Target {
  refId: string;
  expr?: string;
  hide?: boolean;
  instant?: boolean;
  range?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  legendFormat?: string;
  interval?: string;
}

export interface Loaded {
  options: any;
  fieldConfig: any;
  frames: DataFrame[];
  scoped: Record<string, string>;
  warnings: string[];
}

export async function load(
  panel: Panel,
  plugin: PanelPlugin,
  width: number,
  request: Request,
  values: Values,
  theme: GrafanaTheme2,
  timeZone: string
): Promise<Loaded> {
  const warnings: string[] = [];
  const points = panel.maxDataPoints ?? width;
  const panelStep = stepFor(request.range, points, request.scrape, { panel: panel.interval });
  const replace = (text: string, vars?: ScopedVars, escape = (text: string) => text) => {
    if (!text.includes('$')) {
      return text;
    }
    const scoped = Object.entries({ ...panelStep.scoped, ...fieldScope(vars) });
    const escaped = Object.fromEntries(scoped.map(([name, value]) => [name, escape(value)]));
    return interpolate(text, values, escaped, (found) => escape(forPeople(found)));
  };

  const series: DataFrame[] = [];
  const tables: DataFrame[] = [];
  for (const target of (panel.targets ?? []) as unknown as Target[]) {
    if (target.hide || !target.expr) {
      continue;
    }
    const least = { panel: panel.interval, query: replace(target.interval ?? '') };
    const { stepMs, scoped } = stepFor(request.range, points, request.scrape, least);
    const expr = interpolate(target.expr, values, scoped, forPrometheus);
    const legend = replace(target.legendFormat ?? '');
    if (target.format === 'heatmap') {
      throw new Error(`query ${target.refId}: format heatmap is not drawn by this preview`);
    }
    const ask = async (query: () => ReturnType<typeof queryInstant>) => {
      const answer = await query().catch((error) => {
        throw new Error(`query ${target.refId}: ${error.message}\n${expr}`);
      });
      warnings.push(...answer.warnings);
      const frames = toFrames(answer, { refId: target.refId, expr, legend, stepMs });
      (target.format === 'table' ? tables : series).push(...frames);
    };
    if (target.range || !target.instant) {
      await ask(() => queryRange(expr, request.range, stepMs));
    }
    if (target.instant) {
      await ask(() => queryInstant(expr, request.range));
    }
  }

  const { options, fieldConfig } = getPanelOptionsWithDefaults({
    plugin,
    currentOptions: panel.options ?? {},
    currentFieldConfig: structuredClone(panel.fieldConfig ?? { defaults: {}, overrides: [] }) as any,
    isAfterPluginChange: false,
  });
  const transformations = (panel.transformations ?? []) as DataTransformerConfig[];
  const frames = applyFieldOverrides({
    data: await transform([...series, ...toTables(tables)], transformations, replace),
    fieldConfig,
    fieldConfigRegistry: plugin.fieldConfigRegistry,
    // With a format only in addresses, where what is put in is to be escaped.
    replaceVariables: (text, vars, format) => replace(text, vars, format ? encodeURI : undefined),
    theme,
    timeZone,
  });
  return { options, fieldConfig, frames, scoped: panelStep.scoped, warnings };
}
