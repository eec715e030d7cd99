const data = JSON.parse(document.getElementById("data").textContent);
const charts = gaugeCharts(data);
themeButton(charts.draw);
sortable(document.getElementById("table"));
moreColumns();
switches();
flameGraphs();
payers();
downloads();
unfold();
window.weft = { data, plots: charts.plots };
// For tests: the page is ready once the frame with the charts was painted.
requestAnimationFrame(() => setTimeout(() => {
  performance.mark("weft-drawn");
  document.body.dataset.drawn = "";
}));
