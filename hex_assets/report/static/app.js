// Starts the page: decode, route by the fragment, search, keys, theme.
const NAV = [["", "Overview"], ["tables", "Tables"], ["projects", "Projects"], ["dead", "Dead projects"], ["single", "Read by one"], ["missing", "Not in catalog"], ["graph", "Graph"]];
let model = null, hits = [], active = -1;

function route() {
  const { path, parameters } = place(), [name, id] = path;
  $("nav").replaceChildren(...NAV.map(([to, text]) => h("a", { href: link([to]), "aria-current": to === name ? "page" : null }, text)));
  if (name !== "graph") { drawn?.destroy(); drawn = null; }
  const content = name === "table" ? tableView(model, id, parameters) : name === "project" ? projectView(model, id) : name === "graph" ? graphView(model, parameters)
    : name === "search" ? searchView(model, parameters.get("q") ?? "") : lists[name] ? listView(model, name) : overview(model);
  const children = content.flat(4).filter((part) => part !== null && part !== undefined && part !== false);
  $("view").replaceChildren(...children);
  const title = $("view").querySelector("h1").textContent;
  document.title = `${title} · Hex impact`;
}
function close() { $("results").hidden = true; $("search").setAttribute("aria-expanded", "false"); $("search").removeAttribute("aria-activedescendant"); active = -1; }
function suggest() {
  const query = $("search").value.trim();
  if (!query) return close();
  const found = model.search(query), parts = [];
  hits = [];
  for (const [kind, title] of [["table", "Tables"], ["column", "Columns"], ["project", "Projects"]]) {
    if (!found[kind].length) continue;
    parts.push(h("h3", {}, `${title} · ${number(found[kind].length)}`));
    for (const hit of found[kind].slice(0, 7)) {
      const at = hits.length;
      hits.push(goal(model, hit));
      parts.push(h("div", { class: "option", role: "option", id: `hit-${at}`, "aria-selected": "false", onmousedown: (e) => { e.preventDefault(); follow(at); } }, h("span", {}, hitName(model, hit)), h("span", { class: "muted" }, hitNote(model, hit))));
    }
  }
  const count = found.table.length + found.column.length + found.project.length, at = hits.length;
  if (count > hits.length) { parts.push(h("div", { class: "option", role: "option", id: `hit-${at}`, "aria-selected": "false", onmousedown: (e) => { e.preventDefault(); follow(at); } }, h("span", {}, `All ${number(count)} results`))); hits.push(link(["search"], { q: query })); }
  if (!count) parts.push(h("p", { class: "empty" }, "Nothing has this in its name."));
  $("results").replaceChildren(...parts); $("results").hidden = false; $("results").scrollTop = 0;
  $("search").setAttribute("aria-expanded", "true");
  say(plural(count, "result"));
  mark(hits.length ? 0 : -1);
}
function mark(at) {
  document.getElementById(`hit-${active}`)?.setAttribute("aria-selected", "false");
  active = at;
  const option = document.getElementById(`hit-${at}`);
  if (!option) return;
  option.setAttribute("aria-selected", "true"); option.scrollIntoView({ block: "nearest" });
  $("search").setAttribute("aria-activedescendant", option.id);
}
function follow(at) { const to = hits[at]; if (!to) return; close(); $("search").value = ""; $("search").blur(); location.hash = to; $("view").focus(); }
function searchKeys(event) {
  if (event.key === "Escape") { if ($("results").hidden) $("search").blur(); else close(); event.preventDefault(); }
  else if ($("results").hidden) return;
  else if (event.key === "ArrowDown") { mark((active + 1) % hits.length); event.preventDefault(); }
  else if (event.key === "ArrowUp") { mark((active - 1 + hits.length) % hits.length); event.preventDefault(); }
  else if (event.key === "Enter") { follow(active); event.preventDefault(); }
}
function pageKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) { event.preventDefault(); $("search").focus(); $("search").select(); return; }
  const row = event.target.closest?.("tbody tr");
  if (!row || typing || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  let next = row;
  do next = event.key === "ArrowDown" ? next.nextElementSibling : next.previousElementSibling; while (next && next.className === "cells");
  next?.querySelector("td.name a, td a, td button")?.focus();
  event.preventDefault();
}
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-pressed", String(name === "dark"));
}
function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let kept = null;
  try { kept = localStorage.getItem("hex-impact-theme"); } catch { /* a file may have no storage: the system's choice holds */ }
  theme(kept ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", (event) => { if (!kept) { theme(event.matches ? "dark" : "light"); if (drawn) route(); } });
  $("theme").addEventListener("click", () => {
    kept = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme(kept);
    try { localStorage.setItem("hex-impact-theme", kept); } catch { /* as above */ }
    if (drawn) route(); // the canvas has its own colours
  });
}
async function start() {
  startTheme();
  try {
    model = buildModel(await decode($("data").textContent));
  } catch (error) {
    $("view").replaceChildren(h("h1", {}, "The data cannot be read"), h("p", {}, `${error}. A browser of 2023 or later is needed; if this is one, the file is cut: write it again.`));
    throw error;
  }
  addEventListener("hashchange", () => { route(); scrollTo(0, 0); });
  addEventListener("keydown", pageKeys);
  $("search").addEventListener("input", suggest); $("search").addEventListener("focus", suggest);
  $("search").addEventListener("blur", close); $("search").addEventListener("keydown", searchKeys);
  route();
  document.documentElement.dataset.ready = "true";
}
start();
