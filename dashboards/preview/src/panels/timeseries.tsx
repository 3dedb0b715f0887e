// The time series panel.
import {
  applyNullInsertThreshold,
  cacheFieldDisplayNames,
  DashboardCursorSync,
  EventBusSrv,
  FieldColorModeId,
  FieldType,
  getDisplayProcessor,
  nullToValue,
  type DataFrame,
  type GrafanaTheme2,
  type TimeRange,
} from '@grafana/data';
import {
  BarAlignment,
  GraphDrawStyle,
  GraphGradientMode,
  GraphThresholdsStyleMode,
  LineInterpolation,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
} from '@grafana/schema';
import { commonOptionsBuilder, PanelContextProvider, TimeSeries } from '@grafana/ui';
import { useMemo } from 'react';
import { Empty } from './empty';
import { customOptions, kindPlugin, type Drawing, type Kind } from './kind';

const STYLE = {
  drawStyle: GraphDrawStyle.Line,
  lineInterpolation: LineInterpolation.Linear,
  barAlignment: BarAlignment.Center,
  barWidthFactor: 0.6,
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: GraphGradientMode.None,
  fillBelowTo: undefined,
  lineStyle: undefined,
  spanNulls: false,
  insertNulls: false,
  showPoints: VisibilityMode.Auto,
  pointSize: 5,
  transform: undefined,
};

const plugin = kindPlugin(
  {
    'legend.showLegend': true,
    'legend.displayMode': 'list',
    'legend.placement': 'bottom',
    'legend.calcs': [],
    'tooltip.mode': TooltipDisplayMode.Single,
    'tooltip.sort': SortOrder.None,
  },
  {
    standardOptions: {
      color: {
        settings: { byValueSupport: true, bySeriesSupport: true, preferThresholdsMode: false },
        defaultValue: { mode: FieldColorModeId.PaletteClassic },
      },
    },
    useCustomConfig: (builder) => {
      customOptions(builder, STYLE, (field) => field.type !== FieldType.time);
      commonOptionsBuilder.addStackingConfig(builder, { mode: StackingMode.None, group: 'A' });
      commonOptionsBuilder.addAxisConfig(builder, {});
      commonOptionsBuilder.addHideFrom(builder);
      customOptions(builder, { thresholdsStyle: { mode: GraphThresholdsStyleMode.Off } });
    },
  }
);

const NEEDED = [FieldType.time, FieldType.number];

const graphs = ({ fields }: DataFrame) => NEEDED.every((type) => fields.some((field) => field.type === type));

/** Frames with a time and a number, holes where points are missing, and colours given out one after another. */
function graphable(series: DataFrame[], range: TimeRange, theme: GrafanaTheme2): DataFrame[] {
  cacheFieldDisplayNames(series);
  let seriesIndex = 0;
  return series
    .filter(graphs)
    .map((frame) => {
      const holed = nullToValue(
        applyNullInsertThreshold({
          frame,
          refFieldPseudoMin: range.from.valueOf(),
          refFieldPseudoMax: range.to.valueOf(),
        })
      );
      const fields = holed.fields.map((field) => {
        if (field.type !== FieldType.number) {
          return field;
        }
        const values = field.values.map((value) => (Number.isFinite(value) ? value : null));
        const copy = { ...field, values, state: { ...field.state, seriesIndex: seriesIndex++ } };
        return { ...copy, display: getDisplayProcessor({ field: copy, theme }) };
      });
      return { ...holed, fields };
    });
}

function Draw({ loaded, width, height, range, timeZone, theme, drawn }: Drawing) {
  const frames = useMemo(() => graphable(loaded.frames, range, theme), [loaded, range, theme]);
  const context = useMemo(() => ({ eventsScope: 'preview', eventBus: new EventBusSrv(), sync }), []);
  if (!frames.length) {
    return <Empty loaded={loaded} needs={NEEDED} />;
  }
  return (
    <PanelContextProvider value={context}>
      <TimeSeries
        frames={frames}
        structureRev={1}
        timeRange={range}
        timeZone={timeZone}
        width={width}
        height={height}
        legend={loaded.options.legend}
        options={loaded.options}
      >
        {(config) => {
          config.addHook('draw', drawn);
          return null;
        }}
      </TimeSeries>
    </PanelContextProvider>
  );
}

const sync = () => DashboardCursorSync.Off;

export const timeseries: Kind = {
  plugin,
  Draw,
  tells: ({ frames }) => frames.some(graphs),
};
