const data = JSON.parse(document.getElementById("data").textContent);
const charts = gaugeCharts(data);
themeButton(charts.draw);
sortable(document.getElementById("table"));
moreColumns();
switches();
flameGraphs();
downloads();
unfold();
// For tests: when the page was ready, and what is drawn.
performance.mark("weft-drawn");
document.body.dataset.drawn = "";
window.weft = { data, plots: charts.plots };
