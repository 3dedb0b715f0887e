// What stands in a panel that has nothing to draw, in Grafana's words.
import { css } from '@emotion/css';
import { FieldType, type DataFrame } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import type { Loaded } from '../data';

export const hasNoData = (frames: DataFrame[]) => frames.every((frame) => frame.length === 0);

export function Empty({ loaded, needs = [] }: { loaded: Loaded; needs?: FieldType[] }) {
  const styles = useStyles2((theme) => ({
    around: css({ display: 'flex', height: '100%', width: '100%', alignItems: 'center', justifyContent: 'center' }),
    message: css({
      textAlign: 'center',
      color: theme.colors.text.secondary,
      fontSize: theme.typography.size.lg,
      width: '100%',
    }),
  }));
  return (
    <div className={styles.around}>
      <div className={styles.message} data-testid="data-testid Panel data error message">
        {message(loaded, needs)}
      </div>
    </div>
  );
}

function message({ frames, fieldConfig }: Loaded, needs: FieldType[]): string {
  if (hasNoData(frames)) {
    return fieldConfig.defaults.noValue ?? 'No data';
  }
  const missing = needs.find((type) => !frames.some((frame) => frame.fields.some((field) => field.type === type)));
  return missing ? `Data is missing a ${missing} field` : 'Unable to render data';
}
