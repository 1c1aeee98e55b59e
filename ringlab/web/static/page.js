// The live view's page: follows /events, shows what it is told, and asks for faults and policies where it may.
// The state is a snapshot in sections (ringlab/web/state.py): "all" brings it whole, "change" what differs.

const STEPS = [0, 0.25, 0.5, 0.75, 1]; // as in the drawing's legend
const LOG_LINES = 20;
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const find = (id) => document.getElementById(id);
const cables = new Map([...document.querySelectorAll(".cable")].map((one) => [one.dataset.link, one]));
const ports = new Map([...document.querySelectorAll("[data-port]")].map((one) => [one.dataset.port, one]));
const figures = new Map([...document.querySelectorAll("[data-figure]")].map((one) => [one.dataset.figure, one]));
const nodes = new Map([...document.querySelectorAll("[data-node]")].map((one) => [one.dataset.node, one]));
const tips = new Map([...ports].map(([port, one]) => [port, one.querySelector("title").textContent.replace(/ {2}[^ ]+ used$/, "")]));
let state = null;

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const percent = (share) => `${Math.round(share * 100)}%`;
const size = (nbytes) => {
  for (const [unit, factor] of [["G", 2 ** 30], ["M", 2 ** 20], ["K", 2 ** 10]])
    if (nbytes >= factor) return `${+(nbytes / factor).toFixed(1)}${unit}`;
  return `${nbytes}`;
};
const say = (id, text) => { if (find(id).textContent !== text) find(id).textContent = text; };

// -- what is told -----------------------------------------------------------------------------------------------

// In this order: what runs is shown in the list of policies that control makes.
const SHOW = { about, control, run: running, ranks, links, hot, down, flows, rows, log };

function take(change) {
  state = state ? { ...state, ...change, links: { ...state.links, ...change.links } } : change;
  for (const [section, show] of Object.entries(SHOW)) if (section in change) show(change[section]);
  document.documentElement.dataset.updates = Number(document.documentElement.dataset.updates ?? 0) + 1;
}

function about(it) {
  find("kind").className = `kind ${it.kind}`;
  say("kind", { emulated: "live", simulated: "simulated", recorded: "recorded" }[it.kind]);
  const slower = it.scale > 1 ? `, ${Math.round(it.scale).toLocaleString("en")} times slower than it is` : "";
  say("about", `${it.collective}, ${it.algorithm}, on ${it.fabric}${slower}`);
  say("times", {
    emulated: `As measured on the emulated fabric, which runs ${Math.round(it.scale)} times slower than the real one.`,
    simulated: "Simulated: times of the real fabric by max-min-fair sharing. No packet was sent.",
    recorded: "As the recorded run stands for the real fabric. Only the movement above is simulated.",
  }[it.kind]);
}

function running(it) {
  const words = [it.phase === "running" ? `${it.arm}, block ${it.block}` : { starting: "starting", ended: "the run has ended", failed: "the run failed" }[it.phase]];
  if (it.phase === "running" && it.size_bytes) words.push(size(it.size_bytes));
  if (it.text) words.push(it.text);
  if (it.verdict) words.push(`verdict: ${it.verdict}`);
  say("state", words.join("; "));
  now();
  if (state.control.policies.includes(it.policy) && document.activeElement !== find("policy")) find("policy").value = it.policy;
}

function now() {
  const { run, ranks: all } = state;
  const steps = all.map((one) => one.step + 1);
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const slowest = all.filter((one) => one.step + 1 === first).map((one) => one.host);
  const lines = [
    ["Arm", run.arm ? `${run.arm}, block ${run.block}` : "none yet"],
    ["Policy", run.policy || "none yet"],
    ["Size", run.size_bytes ? size(run.size_bytes) : "none yet"],
    ["Operation", all.length ? `${Math.max(...all.map((one) => one.operation)) || "warm-up or check"}` : "none"],
    ["Step", !all.length || !run.steps ? "not known" : first === last ? `${first} of ${run.steps}` : `${first} to ${last} of ${run.steps}`],
    ["Furthest behind", all.length && first !== last ? (slowest.length > 4 ? `${slowest.length} ranks` : slowest.join(", ")) : "none"],
  ];
  const list = find("now");
  if (list.children.length !== 2 * lines.length)
    list.replaceChildren(...lines.flatMap(([name]) => [element("dt", name), element("dd")]));
  lines.forEach(([, text], index) => {
    const cell = list.children[2 * index + 1];
    if (cell.textContent !== text) cell.textContent = text;
  });
}

function ranks(all) {
  const list = find("ranks"), steps = state.run.steps ?? 1;
  if (list.children.length !== all.length)
    list.replaceChildren(...all.map((one, rank) => {
      const item = element("li");
      item.append(element("span", `${rank} ${one.host}`), element("progress", undefined, { max: 1 }), element("span", "", { class: "number" }));
      return item;
    }));
  all.forEach((one, rank) => {
    const [, bar, text] = list.children[rank].children, said = `${one.step + 1}/${steps}`;
    if (text.textContent === said) return;
    bar.max = steps;
    bar.value = one.step + 1;
    bar.setAttribute("aria-label", `rank ${rank} on ${one.host}: step ${one.step + 1} of ${steps}`);
    text.textContent = said;
  });
  say("no-ranks", all.length ? "" : "No rank is at work, or nobody can know its step.");
  now();
}

function links(changed) {
  for (const [port, [share, gbps]] of Object.entries(changed)) {
    const group = ports.get(port), used = Math.min(share, 1);
    const onPath = group.classList.contains("on-path");
    group.setAttribute("class", `load${STEPS.findIndex((most) => used <= most)}${onPath ? " on-path" : ""}`);
    group.querySelector("line, path").setAttribute("stroke-width", (1.5 + 4 * used).toFixed(1));
    group.querySelector("title").textContent = `${tips.get(port)}  ${percent(share)} used, ${gbps} Gb/s`;
    if (!figures.get(port).closest(".cut")) figures.get(port).textContent = share >= 0.005 ? percent(share) : "";
  }
}

function hot(all) {
  find("hot").tBodies[0].replaceChildren(...all.map((one) => {
    const row = element("tr"), bar = element("td");
    bar.append(element("meter", undefined, { min: 0, max: 1, value: Math.min(one.share, 1), "aria-label": `${one.name} in use` }));
    row.append(element("th", one.name, { scope: "row" }), bar, element("td", percent(one.share), { class: "number" }));
    return row;
  }));
}

function down(all) {
  for (const [name, cable] of cables) {
    const cut = all[name] === "down";
    if (cut === cable.classList.contains("cut")) continue;
    cable.classList.toggle("cut", cut);
    const [first, second] = cable.querySelectorAll(".figure");
    first.textContent = cut ? "\u2715" : "";
    first.classList.toggle("cross", cut);
    second.textContent = cut ? "cut" : "";
  }
  find("down").replaceChildren(...Object.entries(all).map(([name, how]) => element("li", `${name}: ${how}`)));
  options("link", [...cables.keys()].map((name) => [name, all[name] ? `${name} (${all[name]})` : name]));
}

function flows(it) {
  const said = it.shown.map((flow, index) => [String(index), flow.name]);
  options("flow", [["", it.count > said.length ? `none (the first ${said.length} of ${it.count} are here)` : "none"], ...said]);
  path();
}

function path() {
  const flow = find("flow").value === "" ? undefined : state.flows.shown[Number(find("flow").value)];
  const hops = new Set(flow?.hops ?? []), passed = new Set();
  for (const [port, group] of ports) group.classList.toggle("on-path", hops.has(port));
  for (const hop of hops) {
    const ends = ports.get(hop).closest(".cable").querySelectorAll("[data-port]");
    ends.forEach((end) => passed.add(end.dataset.port.split(":")[0]));
  }
  for (const [node, box] of nodes) box.classList.toggle("on-path-node", passed.has(node));
  const names = (flow?.hops ?? []).map((hop) => tips.get(hop).split("  ")[0].split("->"));
  say("path", flow ? `Way of ${flow.name}: ${names.length ? [names[0][0], ...names.map(([, to]) => to)].join(" \u2192 ") : "within a host"}` : "");
}

function rows(all) {
  const body = find("rows").tBodies[0];
  all.slice(body.rows.length).forEach((one) => {
    const row = element("tr");
    row.append(element("th", one.arm, { scope: "row" }));
    const cells = [one.block, size(one.size_bytes), one.time_us.toLocaleString("en"), one.busbw_GBps.toPrecision(3), percent(one.line_share), one.wrong ?? "-"];
    cells.forEach((text) => row.append(element("td", text, { class: "number" })));
    body.append(row);
    body.closest(".scroll").scrollTop = body.closest(".scroll").scrollHeight;
  });
}

function log(all) {
  find("log").replaceChildren(...all.slice(-LOG_LINES).reverse().map(([at, text]) => element("li", `${at.toFixed(1)} s: ${text}`)));
  find("log").start = Math.min(all.length, LOG_LINES);
}

function options(id, wanted) {
  const list = find(id), before = list.value;
  const same = wanted.length === list.options.length && wanted.every(([value, text], index) => list.options[index].value === value && list.options[index].text === text);
  if (same) return;
  list.replaceChildren(...wanted.map(([value, text]) => element("option", text, { value })));
  if (wanted.some(([value]) => value === before)) list.value = before;
}

// -- what is asked for ------------------------------------------------------------------------------------------

function control(it) {
  const may = Boolean(token) && (it.cut || it.policies.length > 0);
  find("controls").hidden = !may;
  find("read-only").hidden = may;
  find("policy-pair").hidden = it.policies.length === 0;
  find("drawing").classList.toggle("controlled", may);
  options("policy", it.policies.map((text) => [text, text]));
}

async function ask(address, body) {
  say("answer", "");
  const answer = await fetch(address, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch((error) => ({ ok: false, json: async () => ({ error: String(error) }) }));
  if (!answer.ok) say("answer", (await answer.json()).error);
}
const set = (link, cut) => ask("/link", { link, down: cut });

find("cut").addEventListener("click", () => set(find("link").value, true));
find("restore").addEventListener("click", () => set(find("link").value, false));
find("switch").addEventListener("click", () => ask("/policy", { policy: find("policy").value }));
find("flow").addEventListener("change", path);
find("drawing").addEventListener("click", (event) => {
  const cable = event.target.closest(".cable");
  if (!cable || find("controls").hidden) return;
  find("link").value = cable.dataset.link;
  set(cable.dataset.link, !(cable.dataset.link in state.down));
});

// -- following --------------------------------------------------------------------------------------------------

const events = new EventSource("/events");
const connection = (text, lost) => { say("connection", text); find("connection").classList.toggle("lost", lost); };
const isDrawn = (links) => Object.keys(links).length === ports.size && Object.keys(links).every((port) => ports.has(port));

function begin(all) {
  if (!isDrawn(all.links)) { // another view is served here by now
    events.close();
    location.reload();
    return;
  }
  find("rows").tBodies[0].replaceChildren();
  state = all;
  take(all);
  connection("connected", false);
}

events.addEventListener("all", (event) => begin(JSON.parse(event.data)));
events.addEventListener("change", (event) => take(JSON.parse(event.data)));
events.addEventListener("error", () => connection("connection lost: what is shown is old", true));
