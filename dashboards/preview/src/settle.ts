// When nothing on the page changes any more: no request under way, no font, no element, frame after frame.

const FRAMES = 5;

let underWay = 0;

/** Counts requests from now on; icons are fetched one by one while the page is drawn. */
export function watchRequests() {
  const plain = window.fetch.bind(window);
  window.fetch = async (...request) => {
    underWay++;
    try {
      return await plain(...request);
    } finally {
      underWay--;
    }
  };
}

export async function settled() {
  let quiet = 0;
  const watcher = new MutationObserver(() => (quiet = 0));
  watcher.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  while (quiet < FRAMES) {
    await new Promise(requestAnimationFrame);
    quiet = underWay === 0 && document.fonts.status === 'loaded' ? quiet + 1 : 0;
  }
  watcher.disconnect();
}

/** Text on a canvas is drawn once, with the fonts there are then. */
export async function loadFonts() {
  const faces = ['400 12px Inter', '500 12px Inter', '400 12px "Roboto Mono"', '500 12px "Roboto Mono"'];
  await Promise.all(faces.map((face) => document.fonts.load(face)));
  const missing = faces.filter((face) => !document.fonts.check(face));
  if (missing.length) {
    throw new Error(`fonts did not load: ${missing.join(', ')}`);
  }
}
