// Fetches the page again and puts its content in place of the old one. Without this, the page reloads itself.
"use strict";
const every = 2000;
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.title = page.title;
    } catch {
      const state = document.querySelector("#state");
      state.textContent = "no answer";
      state.className = "pill bad";
    }
  }
  setTimeout(refresh, every);
}
setTimeout(refresh, every);
