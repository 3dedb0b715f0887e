// `${__field.name}`, `${__value.text}`, `${__data.fields.Name}` and their like: what stands where a field is named or
// linked, from what Grafana hands along.
import { formattedValueToString, getFieldDisplayName, getFrameDisplayName } from '@grafana/data';
import type { DataFrame, Field, ScopedVars } from '@grafana/data';

interface Context {
  field?: Field;
  frame?: DataFrame;
  frameIndex?: number;
  data?: DataFrame[];
  rowIndex?: number;
}

export function fieldScope(vars?: ScopedVars): Record<string, string> {
  const { field, frame, frameIndex, data, rowIndex }: Context = vars?.__dataContext?.value ?? {};
  if (!field) {
    return {};
  }
  const name = getFieldDisplayName(field, frame, data);
  const found: Record<string, string> = {
    '__field.name': name,
    '__field.displayName': name,
    '__series.name': frame ? getFrameDisplayName(frame, frameIndex) : name,
  };
  for (const [label, value] of Object.entries(field.labels ?? {})) {
    add(found, '__field.labels', label, value);
  }
  if (rowIndex !== undefined && frame) {
    found['__value.raw'] = found['__value.numeric'] = String(field.values[rowIndex]);
    found['__value.text'] = shown(field, rowIndex);
    for (const other of frame.fields) {
      add(found, '__data.fields', getFieldDisplayName(other, frame, data), shown(other, rowIndex));
      add(found, '__data.fields', other.name, shown(other, rowIndex));
    }
  }
  return found;
}

const shown = ({ display, values }: Field, row: number) =>
  display ? formattedValueToString(display(values[row])).trim() : String(values[row]);

function add(found: Record<string, string>, of: string, name: string, value: string) {
  found[`${of}.${name}`] = value;
  found[`${of}["${name}"]`] = value;
}
