// What the console's pages do beside htmx. Everything works without it.
"use strict";

// Django's CSRF token goes with each POST of htmx.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});

// A checkbox that ticks all of its table.
document.addEventListener("change", (event) => {
  if (!event.target.matches("input[data-ticks]")) return;
  document.querySelectorAll(event.target.dataset.ticks).forEach((box) => { box.checked = event.target.checked; });
});

// What is live is not asked for while nobody sees it.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});

// What is drawn anew keeps the focus, what is unfolded and how far a box was scrolled.
let before = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const live = event.target;
  if (!live.matches("[data-live]")) return;
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  before = {
    href: focused && focused.getAttribute("href"),
    open: [...live.querySelectorAll("details")].map((each) => each.open),
    scrolled: [...live.querySelectorAll(".graph, .table-wrap, pre")].map((each) => [each.scrollLeft, each.scrollTop]),
  };
});
document.addEventListener("htmx:afterSettle", () => {
  const live = before && document.getElementById("live");
  if (!live) return;
  const details = [...live.querySelectorAll("details")];
  if (details.length === before.open.length) details.forEach((each, i) => { each.open = before.open[i]; });
  const boxes = [...live.querySelectorAll(".graph, .table-wrap, pre")];
  if (boxes.length === before.scrolled.length) boxes.forEach((each, i) => { [each.scrollLeft, each.scrollTop] = before.scrolled[i]; });
  const again = before.href && [...live.querySelectorAll("[href]")].find((each) => each.getAttribute("href") === before.href);
  if (again) again.focus({ preventScroll: true });
  before = null;
});
