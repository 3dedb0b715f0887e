// What Grafana itself registers before any panel: the options every field has, and editors, which nobody sees here.
import {
  booleanOverrideProcessor,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  FieldType,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  stringOverrideProcessor,
  ThresholdsMode,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
  type Field,
  type FieldConfigPropertyItem,
} from '@grafana/data';
import { registerTransformations } from './transformations';

export const noEditor = () => null;

const EDITORS =
  'text number slider boolean radio select unit links actions stats-picker strings timezone fieldColor color ' +
  'multi-select field-name dashboard-uid mappings thresholds';

const number = (field: Field) => field.type === FieldType.number;

function property(id: string, process: any, more: Partial<FieldConfigPropertyItem> = {}): FieldConfigPropertyItem {
  return { id, path: id, name: id, process, shouldApply: () => true, editor: noEditor, override: noEditor, ...more };
}

const STEPS = [
  { value: -Infinity, color: 'green' },
  { value: 80, color: 'red' },
];

const fieldOptions = () => [
  property('unit', unitOverrideProcessor),
  property('min', numberOverrideProcessor, { shouldApply: number }),
  property('max', numberOverrideProcessor, { shouldApply: number }),
  property('fieldMinMax', booleanOverrideProcessor, { shouldApply: number }),
  property('decimals', numberOverrideProcessor, { shouldApply: number, settings: { min: 0, max: 15, integer: true } }),
  property('displayName', displayNameOverrideProcessor, { settings: { expandTemplateVars: true } }),
  property('color', identityOverrideProcessor, { settings: { byValueSupport: true, preferThresholdsMode: true } }),
  property('noValue', stringOverrideProcessor),
  property('links', dataLinksOverrideProcessor),
  property('actions', identityOverrideProcessor),
  property('mappings', valueMappingsOverrideProcessor, {
    defaultValue: [],
    shouldApply: (field) => field.type !== FieldType.time,
  }),
  property('thresholds', thresholdsOverrideProcessor, {
    defaultValue: { mode: ThresholdsMode.Absolute, steps: STEPS },
  }),
  property('filterable', booleanOverrideProcessor),
];

export function registerStandards() {
  standardEditorsRegistry.setInit(() => EDITORS.split(' ').map((id) => ({ id, name: id, editor: noEditor })));
  standardFieldConfigEditorRegistry.setInit(fieldOptions);
  registerTransformations();
}
