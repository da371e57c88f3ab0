// @ts-nocheck: runs in the browser.
/**
 * JupyterLab renderer of application/vnd.plotly.v1+json. A module-federation container written by hand: no build step.
 * Unlike the one that comes with Plotly's Python package it draws at once, and again on every display update.
 */
(() => {
  const MIME = 'application/vnd.plotly.v1+json';
  const here = document.currentScript.src;
  let sharedScope;
  let plotly;

  /** plotly.js, fetched once, when the first figure is drawn. */
  function loadPlotly() {
    plotly ??= fetch(new URL('plotly.min.js', here)).then(async (response) => {
      if (!response.ok) throw new Error(`plotly.min.js: HTTP ${response.status}`);
      const module = { exports: {} };
      new Function('module', 'exports', 'define', await response.text())(module, module.exports, undefined);
      return module.exports;
    });
    return plotly;
  }

  /** A package that JupyterLab itself has loaded. */
  const shared = async (name) => (await Object.values(sharedScope[name])[0].get())();

  async function extension() {
    const { Widget } = await shared('@lumino/widgets');

    class Figure extends Widget {
      constructor() {
        super();
        this.addClass('jp-RenderedPlotly');
      }

      async renderModel(model) {
        try {
          this.plotly = await loadPlotly();
        } catch (error) {
          this.showStill(model.data['image/png'], error);
          return;
        }
        if (this.isDisposed) return;
        const { data, layout, config } = structuredClone(model.data[MIME]);
        this.hasOwnWidth = layout?.width !== undefined;
        await this.plotly.react(this.node, data, { ...layout }, { displaylogo: false, ...config });
        this.fit();
      }

      showStill(png, error) {
        this.node.title = String(error);
        if (png) this.node.innerHTML = `<img src="data:image/png;base64,${png}">`;
      }

      fit() {
        if (this.plotly && !this.hasOwnWidth && this.isVisible && this.node.data)
          this.plotly.Plots.resize(this.node);
      }
      onAfterAttach() {
        this.fit();
      }
      onAfterShow() {
        this.fit();
      }
      onResize() {
        this.fit();
      }

      dispose() {
        if (this.isDisposed) return;
        this.plotly?.purge(this.node);
        super.dispose();
      }
    }

    const rendererFactory = { safe: true, mimeTypes: [MIME], createRenderer: () => new Figure() };
    return {
      __esModule: true,
      default: [{ id: 'memorization-plotly:factory', rank: 0, dataType: 'json', rendererFactory }],
    };
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB['memorization-plotly'] = {
    init(scope) {
      sharedScope = scope;
    },
    async get() {
      const module = await extension();
      return () => module;
    },
  };
})();
