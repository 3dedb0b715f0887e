// A dashboard's JSON as Grafana's own types have it: @grafana/schema's, put together panel type by panel type.
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts';
import type * as gauge from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen.d.ts';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen.d.ts';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';
import type * as dashboard from '@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts';
// Since Grafana 11 the data source keeps this type to itself, under another licence; it is what it was.
import type { PrometheusDataQuery } from 'grafana-schema-10/dist/esm/raw/composable/prometheus/dataquery/x/PrometheusDataQuery_types.gen';

/** A type as JSON has it: the members of an enum of strings are written out. */
type Json<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends Array<infer Each>
      ? Array<Json<Each>>
      : T extends object
        ? { [Key in keyof T]: Json<T[Key]> }
        : T;

/** Grafana fills in what is left out, however deep. */
type Partly<T> = unknown extends T
  ? T
  : T extends Array<unknown>
    ? T
    : T extends object
      ? { [Key in keyof T]?: Partly<T[Key]> }
      : T;

/** Two of them are known to @grafana/data and not to the schema. */
interface Standard extends Omit<dashboard.FieldConfig, 'custom'> {
  actions?: unknown[];
  fieldMinMax?: boolean;
}

/** What an override may set: a standard option, or one of the panel type's own. */
type Property<Custom> =
  | { [Key in keyof Standard & string]-?: { id: Key; value?: Standard[Key] } }[keyof Standard & string]
  | { [Key in keyof Custom & string]-?: { id: `custom.${Key}`; value?: Partly<Custom[Key]> } }[keyof Custom & string];

interface Fields<Custom> {
  defaults: Standard & { custom?: Partly<Custom> };
  overrides: Array<{ matcher: dashboard.MatcherConfig; properties: Array<Property<Custom>> }>;
}

interface Target extends PrometheusDataQuery {
  datasource?: dashboard.DataSourceRef;
  interval?: string;
}

type Same = Omit<dashboard.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>;

interface PanelOf<Type extends string, Options, Custom = {}> extends Same {
  type: Type;
  options?: Partly<Options>;
  fieldConfig?: Fields<Custom>;
  targets?: Target[];
}

type Panel =
  | PanelOf<'bargauge', bargauge.Options>
  | PanelOf<'gauge', gauge.Options>
  | PanelOf<'stat', stat.Options>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'text', text.Options>
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>;

interface Row extends Omit<dashboard.RowPanel, 'panels'> {
  panels: Panel[];
}

/** What the Prometheus data source adds to an annotation; Grafana's schema leaves it open. */
interface Annotation extends dashboard.AnnotationQuery {
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean;
}

/** What an interval variable has besides; @grafana/data knows it, the schema does not. */
interface Variable extends dashboard.VariableModel {
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
}

interface Dashboard extends Omit<dashboard.Dashboard, 'annotations' | 'panels' | 'templating'> {
  annotations?: { list?: Annotation[] };
  panels?: Array<Panel | Row>;
  templating?: { list?: Variable[] };
}

export type Board = Json<Dashboard>;
