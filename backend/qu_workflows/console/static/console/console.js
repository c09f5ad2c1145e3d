// Enhancements beside htmx. Every page works without them.
"use strict";

// htmx sends Django's CSRF token with each POST.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});

// A checkbox that selects all rows of its table.
document.addEventListener("change", (event) => {
  if (!event.target.matches("input[data-ticks]")) return;
  document.querySelectorAll(event.target.dataset.ticks).forEach((box) => { box.checked = event.target.checked; });
});

// A hidden page does not poll.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
});

// A refreshed part keeps its focus, open details and scroll positions.
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
