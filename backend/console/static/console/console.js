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
