// Small parts of the page. Text only ever becomes a text node: nothing in the data is markup.
function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}
const $ = (id) => document.getElementById(id);
const number = (n) => (n === null || n === undefined ? "unknown" : n.toLocaleString("en"));
const day = (seconds) => (seconds ? new Date(seconds * 1000).toISOString().slice(0, 10) : "");
const minute = (seconds) => (seconds ? `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` : "");
const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
const say = (text) => { $("said").textContent = text; };
const tag = (text, kind = "") => h("span", { class: `tag ${kind}` }, text);
const uses = (list) => h("div", { class: "uses" }, list.map((u) => tag(u)));
const figure = (value, label, small) => h("div", {}, h("b", { class: small ? "small" : "" }, value), label);
// Links come from data: only these schemes may be followed.
const outside = (url, label) => (/^https?:\/\//i.test(url ?? "") ? h("a", { class: "button", href: url, target: "_blank", rel: "noopener noreferrer" }, label, " ↗") : null);
const mail = (address, subject = "") => (address ? h("a", { href: `mailto:${address.split(",").map((a) => encodeURIComponent(a).replace("%40", "@")).join(",")}${subject ? `?subject=${encodeURIComponent(subject)}` : ""}` }, address) : h("span", { class: "muted" }, "unknown"));

function link(path, parameters = {}) {
  const kept = Object.entries(parameters).filter(([, value]) => value);
  const query = kept.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `#/${path.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  try { return { path: path.split("/").map(decodeURIComponent), parameters: new URLSearchParams(query) }; }
  catch { return { path: [""], parameters: new URLSearchParams() }; }
}
// Replaces parts of the fragment's query without a new entry in the history.
function remember(changes) {
  const { path, parameters } = place();
  for (const [name, value] of Object.entries(changes)) { if (value) parameters.set(name, value); else parameters.delete(name); }
  history.replaceState(null, "", link(path, Object.fromEntries(parameters)));
}
function csvText(head, rows) {
  const field = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // a spreadsheet would run it
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${[head, ...rows].map((row) => row.map(field).join(",")).join("\r\n")}\r\n`;
}
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor); anchor.click(); anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
const STEP = 100;

// A list one can sort, filter and download; only STEP rows are in the document until asked for more.
// columns: {label, value(row), cell?(row), kind?}; detail?(row): an element below an opened row.
function dataTable({ id, columns, rows, file, empty, detail, extra = [], sortAt = null }) {
  let shown = STEP, sort = sortAt === null ? null : { at: sortAt, down: true }, wanted = place().parameters.get("filter") ?? "";
  const texts = new Map(rows.map((row) => [row, columns.map((c) => String(c.value(row) ?? "")).join("\n").toLowerCase()]));
  const body = h("tbody"), more = h("div", { class: "more" }), head = h("tr"), count = h("span", { class: "muted" });
  const kept = () => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const list = words.length ? rows.filter((row) => words.every((w) => texts.get(row).includes(w))) : [...rows];
    if (sort) {
      const value = columns[sort.at].value, sign = sort.down ? -1 : 1;
      list.sort((a, b) => { const x = value(a) ?? -1, y = value(b) ?? -1; return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * sign; });
    }
    return list;
  };
  const line = (row) => {
    const tr = h("tr", {}, columns.map((c) => h("td", { class: c.kind ?? "" }, c.cell ? c.cell(row) : c.kind === "num" ? number(c.value(row)) : c.value(row))));
    if (!detail) return tr;
    const opener = h("button", { class: "open", type: "button", "aria-expanded": "false", "aria-label": "Show cells", onclick: () => {
      const open = opener.getAttribute("aria-expanded") === "true";
      opener.setAttribute("aria-expanded", String(!open)); opener.textContent = open ? "▸" : "▾";
      if (open) tr.nextSibling.remove(); else tr.after(h("tr", { class: "cells" }, h("td", { colspan: columns.length }, detail(row))));
    } }, "▸");
    tr.firstChild.classList.add("opens"); tr.firstChild.prepend(opener);
    return tr;
  };
  function draw() {
    const list = kept();
    head.replaceChildren(...columns.map((c, at) => h("th", { class: c.kind === "num" ? "num" : "", scope: "col", "aria-sort": sort?.at === at ? (sort.down ? "descending" : "ascending") : "none" },
      h("button", { type: "button", onclick: () => { sort = { at, down: sort?.at === at ? !sort.down : c.kind === "num" || c.kind === "when" }; draw(); head.children[at].firstChild.focus(); } }, c.label, sort?.at === at ? (sort.down ? " ↓" : " ↑") : ""))));
    body.replaceChildren(...list.slice(0, shown).map(line));
    if (!list.length) body.append(h("tr", {}, h("td", { class: "empty", colspan: columns.length }, rows.length ? "No row fits the filter." : empty)));
    more.hidden = list.length <= shown;
    more.replaceChildren(h("button", { type: "button", onclick: () => { shown += STEP; draw(); } }, `Show ${Math.min(STEP, list.length - shown)} more of ${number(list.length)}`));
    count.textContent = list.length === rows.length ? plural(rows.length, "row") : `${number(list.length)} of ${plural(rows.length, "row")}`;
  }
  const filter = h("input", { class: "filter", type: "search", placeholder: "Filter rows", "aria-label": "Filter rows", value: wanted,
    oninput: () => { wanted = filter.value; shown = STEP; remember({ filter: wanted }); draw(); say(count.textContent); } });
  draw();
  return h("section", { id }, h("div", { class: "bar" }, filter, extra, count, h("span", { class: "grow" }),
    h("button", { type: "button", class: "csv", onclick: () => download(`${file}.csv`, csvText(columns.map((c) => c.label), kept().map((row) => columns.map((c) => (c.kind === "when" ? minute(c.value(row)) : c.value(row)))))) }, "Download CSV")),
    h("div", { class: "wrap" }, h("table", {}, h("thead", {}, head), body), more));
}
