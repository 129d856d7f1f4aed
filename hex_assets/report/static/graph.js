// The graph: what is read is left of its readers, what is written right of its writers.
const NEIGHBOURS = 18;
const nodeName = (m, n) => (n.kind === "table" ? m.T.name[n.position] : m.P.title[n.position]);
const nodeKey = (m, n) => `${n.kind}:${n.kind === "table" ? m.T.key[n.position] : m.P.id[n.position]}`;
function nodeOf(m, key) {
  const [kind, ...rest] = (key ?? "").split(":"), position = (kind === "table" ? m.tableAt : m.projectAt).get(rest.join(":"));
  return position === undefined ? null : { kind, position };
}
let drawn = null;
function graphView(m, parameters) {
  const busiest = m.readers.reduce((best, n, t) => (n > (m.readers[best] ?? -1) ? t : best), 0);
  const start = nodeOf(m, parameters.get("focus")) ?? (m.T.name.length ? { kind: "table", position: busiest } : null);
  if (!start) return [h("h1", {}, "Graph"), h("p", {}, "There is nothing to draw.")];
  const canvas = h("div", { id: "canvas", role: "img", "aria-label": "Graph of projects and tables; the list beside it has the same" }), aside = h("aside", { "aria-label": "Selected node" });
  const zoom = (factor) => drawn?.zoom({ level: drawn.zoom() * factor, renderedPosition: { x: drawn.width() / 2, y: drawn.height() / 2 } });
  const tools = h("div", { class: "bar" }, h("span", { class: "muted" }, h("span", { class: "dot" }), h("span", { class: "legend" }, "table"), h("span", { class: "dot project" }), h("span", { class: "legend" }, "project"), "Click a node to expand it, drag to pan, scroll to zoom"), h("span", { class: "grow" }),
    h("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(0.8) }, "−"), h("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(1.25) }, "+"), h("button", { type: "button", onclick: () => drawn?.fit(undefined, 40) }, "Fit"));
  queueMicrotask(() => draw(m, canvas, aside, start, (parameters.get("open") ?? "").split("|").filter(Boolean)));
  return [h("h1", {}, "Graph"), tools, h("div", { class: "graph" }, canvas, aside)];
}
function draw(m, canvas, aside, start, opened) {
  const nodes = new Map(), edges = new Map(), open = new Map();
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const add = (n, level) => { const key = nodeKey(m, n); if (!nodes.has(key)) nodes.set(key, { ...n, key, level, order: nodes.size }); return nodes.get(key); };
  const expand = (node, room = NEIGHBOURS) => {
    open.set(node.key, (open.get(node.key) ?? 0) + room);
    for (const n of m.neighbours(node.kind, node.position).slice(0, open.get(node.key))) {
      // A read flows table -> project, a write project -> table.
      const flowsIn = (node.kind === "project") !== n.write, other = add(n, node.level + (flowsIn ? -1 : 1));
      const [from, to] = flowsIn ? [other, node] : [node, other];
      edges.set(`${from.key}→${to.key}`, { from: from.key, to: to.key, queries: n.queries });
    }
  };
  const layout = () => {
    const levels = new Map();
    for (const n of nodes.values()) { if (!levels.has(n.level)) levels.set(n.level, []); levels.get(n.level).push(n); }
    for (const list of levels.values()) { list.sort((a, b) => a.order - b.order); list.forEach((n, i) => { n.x = n.level * 300; n.y = (i - (list.length - 1) / 2) * 30; }); }
  };
  const short = (text) => (text.length > 34 ? `…${text.slice(-33)}` : text);
  const label = (n) => (n.kind === "table" ? short(n.key && m.T.name[n.position].split(".").slice(-2).join(".")) : m.P.title[n.position].length > 34 ? `${m.P.title[n.position].slice(0, 33)}…` : m.P.title[n.position]);
  const first = add(start, 0);
  expand(first);
  for (const key of opened) if (nodes.has(key)) expand(nodes.get(key));
  layout();
  drawn?.destroy();
  const cy = drawn = cytoscape({ container: canvas, minZoom: 0.1, maxZoom: 3, autoungrabify: false, boxSelectionEnabled: false, layout: { name: "preset" }, style: [
    { selector: "node", style: { label: "data(label)", "font-size": 12, "font-family": "system-ui, DejaVu Sans, Noto Color Emoji, sans-serif", color: colour("--ink"), "text-valign": "center", "text-halign": "right", "text-margin-x": 6, width: 16, height: 16, "background-color": colour("--table"), shape: "round-rectangle", "text-background-color": colour("--card"), "text-background-opacity": 0.85, "text-background-padding": 2 } },
    { selector: "node.project", style: { shape: "ellipse", "background-color": colour("--project") } },
    // Names stand where no edge runs: outside of the outermost columns, above the inner ones.
    { selector: "node.left", style: { "text-halign": "left", "text-margin-x": -6 } },
    { selector: "node.inner", style: { "text-halign": "center", "text-valign": "top", "text-margin-x": 0, "text-margin-y": -1, "font-size": 10 } },
    { selector: "node.opened", style: { "border-width": 3, "border-color": colour("--line") } },
    { selector: "node:selected", style: { "border-width": 4, "border-color": colour("--accent"), "font-weight": 700 } },
    { selector: "edge", style: { width: "data(width)", "line-color": colour("--line"), "target-arrow-color": colour("--soft"), "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "unbundled-bezier", "control-point-distances": 0.1, "control-point-weights": 0.5 } },
    { selector: "edge.near", style: { "line-color": colour("--accent"), "target-arrow-color": colour("--accent") } }] });
  const show = () => {
    layout();
    const levels = [...nodes.values()].map((n) => n.level), lowest = Math.min(...levels), highest = Math.max(...levels);
    cy.batch(() => {
      for (const n of nodes.values()) {
        const found = cy.getElementById(n.key);
        if (found.empty()) cy.add({ group: "nodes", data: { id: n.key, label: label(n) }, classes: n.kind, position: { x: n.x, y: n.y } });
        else found.position({ x: n.x, y: n.y });
        cy.getElementById(n.key).toggleClass("opened", open.has(n.key)).toggleClass("left", n.level === lowest && lowest < highest).toggleClass("inner", n.level > lowest && n.level < highest);
      }
      for (const [id, e] of edges) if (cy.getElementById(id).empty()) cy.add({ group: "edges", data: { id, source: e.from, target: e.to, width: 1 + Math.min(3, Math.log10(e.queries + 1)) } });
    });
    canvas.dataset.nodes = nodes.size; canvas.dataset.edges = edges.size;
  };
  const select = (node) => {
    cy.nodes().unselect(); cy.getElementById(node.key).select();
    cy.edges().removeClass("near"); cy.getElementById(node.key).connectedEdges().addClass("near");
    const around = m.neighbours(node.kind, node.position), hidden = around.length - (open.get(node.key) ?? 0);
    const item = (n) => h("li", {}, h("button", { type: "button", title: nodeName(m, n), onclick: () => pick(add(n, node.level + ((node.kind === "project") !== n.write ? -1 : 1))) }, h("span", { class: `dot ${n.kind}` }), nodeName(m, n)));
    aside.replaceChildren(h("p", { class: "kicker" }, node.kind === "table" ? "Table" : "Project"), h("h2", {}, nodeName(m, node)),
      h("p", {}, h("a", { href: node.kind === "table" ? link(["table", m.T.key[node.position]]) : link(["project", m.P.id[node.position]]) }, "Open its page")),
      h("p", { class: "muted" }, `${plural(around.length, "neighbour")}${hidden > 0 ? `, ${number(hidden)} not drawn` : ""}`),
      hidden > 0 && open.has(node.key) ? h("button", { type: "button", onclick: () => { expand(node); show(); select(node); cy.fit(undefined, 40); } }, `Draw ${Math.min(NEIGHBOURS, hidden)} more`) : "",
      h("ul", {}, around.slice(0, 100).map(item)));
    say(`${nodeName(m, node)}: ${plural(around.length, "neighbour")}`);
  };
  const pick = (node) => {
    if (!open.has(node.key)) { expand(node); remember({ focus: first.key, open: [...open.keys()].slice(1).join("|") }); }
    show(); select(node); cy.animate({ fit: { eles: cy.getElementById(node.key).closedNeighborhood(), padding: 60 }, duration: 200 });
  };
  cy.on("tap", "node", (event) => pick(nodes.get(event.target.id())));
  show(); select(first); cy.fit(undefined, 40);
  canvas.graph = cy; // for tests
}
