// The stat panel.
import { getDisplayValueAlignmentFactors, type FieldDisplay } from '@grafana/data';
import { BigValueGraphMode, BigValueTextMode } from '@grafana/schema';
import { defaultOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.js';
import { BigValue, VizRepeater } from '@grafana/ui';
import { kindPlugin, REDUCED, reduced, type Drawing, type Kind } from './kind';

function Draw(drawing: Drawing) {
  const { loaded, width, height, range, theme, title } = drawing;
  const { options, fieldConfig } = loaded;
  const named = options.textMode === BigValueTextMode.Auto && (fieldConfig.defaults.displayName || !title);
  return (
    <VizRepeater
      getValues={() =>
        reduced(drawing, {
          sparkline: options.graphMode !== BigValueGraphMode.None,
          percentChange: options.showPercentChange,
        })
      }
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width, height, count }) => (
        <BigValue
          value={(value as FieldDisplay).display}
          count={count}
          sparkline={sparkline(value as FieldDisplay, range)}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={named ? BigValueTextMode.ValueAndName : options.textMode}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
          disableWideLayout={!options.wideLayout}
          percentChangeColorMode={options.percentChangeColorMode}
        />
      )}
      width={width}
      height={height}
      source={loaded}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
    />
  );
}

const sparkline = (value: FieldDisplay, timeRange: Drawing['range']) =>
  value.sparkline ? { ...value.sparkline, timeRange } : undefined;

export const stat: Kind = { plugin: kindPlugin({ ...defaultOptions, ...REDUCED }), Draw };
