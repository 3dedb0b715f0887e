// The gauge panel.
import type { FieldDisplay } from '@grafana/data';
import { BarGaugeSizing } from '@grafana/schema';
import { defaultOptions } from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen.js';
import { Gauge, VizRepeater } from '@grafana/ui';
import './dial';
import { customOptions, kindPlugin, REDUCED, reduced, unnamed, type Drawing, type Kind } from './kind';

function Draw(drawing: Drawing) {
  const { loaded, width, height, theme } = drawing;
  const { options } = loaded;
  const least = options.sizing === BarGaugeSizing.Manual ? options : defaultOptions;
  return (
    <VizRepeater
      getValues={() => reduced(drawing)}
      renderValue={({ value, width, height, count, orientation }) => (
        <Gauge
          value={unnamed(value as FieldDisplay, count)}
          field={(value as FieldDisplay).field}
          width={width}
          height={height}
          text={options.text}
          showThresholdLabels={options.showThresholdLabels}
          showThresholdMarkers={options.showThresholdMarkers}
          theme={theme}
          orientation={orientation}
        />
      )}
      width={width}
      height={height}
      source={loaded}
      itemSpacing={16}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
      minVizWidth={least.minVizWidth}
      minVizHeight={least.minVizHeight}
    />
  );
}

export const gauge: Kind = {
  plugin: kindPlugin(
    { ...defaultOptions, ...REDUCED },
    { useCustomConfig: (builder) => customOptions(builder, { neutral: undefined }) }
  ),
  Draw,
};
