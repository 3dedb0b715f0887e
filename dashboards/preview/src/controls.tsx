// What stands above a dashboard: its name, its variables, its links, and the time range.
import { css } from '@emotion/css';
import { VariableHide, type TimeRange } from '@grafana/data';
import type { Dashboard } from '@grafana/schema';
import { Icon, RefreshPicker, TimeRangePicker, ToolbarButton, useStyles2 } from '@grafana/ui';
import { forPeople, type Values } from './interpolate';

export const TOP = 40;
export const PADDING = 16;

const nothing = () => {};

export function Name({ title }: { title: string }) {
  const styles = useStyles2((theme) => ({
    bar: css({
      display: 'flex',
      alignItems: 'center',
      gap: theme.spacing(0.5),
      height: TOP,
      padding: theme.spacing(0, 2),
      background: theme.colors.background.primary,
      borderBottom: `1px solid ${theme.colors.border.weak}`,
      color: theme.colors.text.secondary,
    }),
    title: css({ color: theme.colors.text.primary, fontWeight: theme.typography.fontWeightMedium }),
  }));
  return (
    <div className={styles.bar}>
      <span>Home</span>
      <Icon name="angle-right" />
      <span>Dashboards</span>
      <Icon name="angle-right" />
      <span className={styles.title}>{title}</span>
    </div>
  );
}

interface Props {
  board: Dashboard;
  values: Values;
  range: TimeRange;
  timeZone: string;
}

export function Controls({ board, values, range, timeZone }: Props) {
  const styles = useStyles2((theme) => ({
    bar: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), padding: theme.spacing(2, 2, 1) }),
    right: css({ display: 'flex', gap: theme.spacing(1), marginLeft: 'auto' }),
    variable: css({ display: 'flex', height: 32, lineHeight: '30px' }),
    label: css({
      padding: theme.spacing(0, 1),
      background: theme.colors.background.primary,
      border: `1px solid ${theme.components.input.borderColor}`,
      borderRight: 'none',
      borderRadius: `${theme.shape.radius.default} 0 0 ${theme.shape.radius.default}`,
      fontSize: theme.typography.bodySmall.fontSize,
      fontWeight: theme.typography.fontWeightMedium,
    }),
    value: css({
      display: 'flex',
      alignItems: 'center',
      gap: theme.spacing(1),
      padding: theme.spacing(0, 1),
      background: theme.components.input.background,
      border: `1px solid ${theme.components.input.borderColor}`,
      borderRadius: `0 ${theme.shape.radius.default} ${theme.shape.radius.default} 0`,
    }),
    alone: css({ borderRadius: theme.shape.radius.default }),
  }));
  const shown = (board.templating?.list ?? []).filter(
    ({ hide, type }) => Number(hide) !== VariableHide.hideVariable && type !== 'constant'
  );
  return (
    <div className={styles.bar}>
      {shown.map(({ name, label, hide }) => (
        <div className={styles.variable} key={name} data-variable={name}>
          {Number(hide) !== VariableHide.hideLabel && <span className={styles.label}>{label || name}</span>}
          <span className={`${styles.value} ${Number(hide) === VariableHide.hideLabel ? styles.alone : ''}`}>
            {forPeople(values.get(name)!)}
            <Icon name="angle-down" />
          </span>
        </div>
      ))}
      <div className={styles.right}>
        {board.links?.map((link) => (
          <ToolbarButton key={link.title} icon={link.type === 'link' ? 'external-link-alt' : 'apps'} variant="canvas">
            {link.title}
          </ToolbarButton>
        ))}
        <TimeRangePicker
          value={range}
          timeZone={timeZone}
          onChange={nothing}
          onChangeTimeZone={nothing}
          onMoveBackward={nothing}
          onMoveForward={nothing}
          onZoom={nothing}
        />
        <RefreshPicker value={board.refresh} onIntervalChanged={nothing} onRefresh={nothing} />
      </div>
    </div>
  );
}
