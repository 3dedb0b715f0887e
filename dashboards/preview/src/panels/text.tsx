// The text panel.
import { renderTextPanelMarkdown, textUtil } from '@grafana/data';
import { defaultOptions, TextMode } from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen.js';
import { ScrollContainer } from '@grafana/ui';
import { kindPlugin, type Drawing, type Kind } from './kind';

function Draw({ loaded: { options }, replace }: Drawing) {
  if (options.mode === TextMode.Code) {
    throw new Error('a text panel of mode code is not drawn by this preview');
  }
  const content = replace(options.content ?? '');
  const __html = options.mode === TextMode.HTML ? textUtil.sanitizeTextPanelContent(content) : renderTextPanelMarkdown(content);
  return (
    <ScrollContainer>
      <div className="markdown-html" style={{ height: '100%' }} dangerouslySetInnerHTML={{ __html }} />
    </ScrollContainer>
  );
}

export const text: Kind = { plugin: kindPlugin({ ...defaultOptions }), Draw };
