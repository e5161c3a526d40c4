"use strict";

// Everything that is shown is data of users: it becomes text of elements, never markup.

const at = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const HIDDEN = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;

/** The text with what cannot be seen, or turns the rest around, as \u{...}. */
const printable = (text) => String(text).replace(HIDDEN, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);

function node(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = printable(text);
  if (className) made.className = className;
  return made;
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const within = (parent, ...children) => { parent.append(...children); return parent; };

const counted = new Intl.NumberFormat("en");
const count = (number) => (typeof number === "number" ? counted.format(number) : "\u2013");
const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const time = (iso) => new Date(iso).toLocaleTimeString("en-GB");
const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);

function lasting(seconds) {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]];
  const first = parts.findIndex(([length]) => seconds >= length);
  const [length, unit] = parts[first];
  const whole = Math.floor(seconds / length);
  if (first === 2) return `${whole} min`;
  const [shorter, next] = parts[first + 1];
  return `${whole} ${unit} ${Math.floor((seconds - whole * length) / shorter)} ${next}`;
}

const say = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };

const drawnFrom = new Map();

/** Draw a part anew only when what it shows has changed, so that nobody loses what they selected or heard half of. */
function whenChanged(name, told, draw) {
  const written = JSON.stringify(told);
  if (drawnFrom.get(name) === written) return;
  drawnFrom.set(name, written);
  draw(told);
}

// State and conditions

const WORDS = { starting: "Starting", running: "Running", idle: "Idle", waiting: "Waiting", stopping: "Stopping" };

function sentence(status) {
  const held = status.oldest
    ? `${many(status.records.open, "record")} in hand, the oldest waits for ${lasting(status.oldest.seconds)}.`
    : "No record is in hand.";
  return status.conditions.length ? held : `Nothing stands in the way. ${held}`;
}

function drawConditions(conditions) {
  at("conditions").replaceChildren(...conditions.map((raised) => within(
    node("li", undefined, raised.condition === "lane_paused" ? "mild" : ""),
    within(node("p"), node("strong", raised.condition.replaceAll("_", " ")), ` ${printable(raised.subject)}, since ${time(raised.since)}`),
    node("p", raised.why),
    node("p", raised.advice, "note"),
  )));
}

// The flow

const TROUBLES = {
  queue: ["sqs_unreachable"],
  hand: ["ledger_unreachable", "s3_unreachable", "archive_unreachable"],
  lanes: ["lane_paused", "all_lanes_paused"],
  darwin: ["darwin_down", "key_refused", "plan_full"],
  letters: ["dead_letters_unreachable"],
};

function showDepth(id, depth, more) {
  const known = depth && depth.unknown === undefined;
  say(id, known ? count(depth.waiting) : "\u2013");
  if (!depth) return "not asked yet";
  return known ? more(depth) : `not known: ${printable(depth.unknown)}`;
}

function showFlow(status) {
  const { records, lanes, history } = status;
  const raised = status.conditions.map((condition) => condition.condition);
  for (const station of document.querySelectorAll(".station")) {
    const met = (TROUBLES[station.dataset.part] || []).filter((name) => raised.includes(name));
    station.classList.toggle("bad", met.length > 0 && !met.every((name) => name === "lane_paused"));
    station.classList.toggle("mild", met.length > 0 && met.every((name) => name === "lane_paused"));
  }
  const lately = (numbers) => sum(numbers.slice(-2)) > 0;
  const waiting = sum(lanes.map((lane) => lane.waiting));
  const under = sum(lanes.map((lane) => lane.under_way));
  const paused = lanes.filter((lane) => lane.paused).length;
  const pipes = {
    received: [lately(history.received), raised.includes("sqs_unreachable")],
    lanes: [waiting + under > 0, false],
    registered: [lately(history.registered) || under > 0, TROUBLES.darwin.some((name) => raised.includes(name))],
  };
  for (const pipe of document.querySelectorAll(".pipe")) {
    const [flows, shut] = pipes[pipe.dataset.pipe];
    pipe.classList.toggle("flows", flows && !shut);
    pipe.classList.toggle("shut", shut);
  }
  say("queue-note", showDepth("queue", status.queue, (depth) => `waiting; ${count(depth.in_flight)} in flight, ${count(depth.delayed)} delayed`));
  say("hand", count(records.open));
  say("hand-note", `of ${count(records.most_open)} at most${status.oldest ? `; oldest ${lasting(status.oldest.seconds)}` : ""}`);
  say("lanes-held", count(waiting + under));
  say("lanes-note", `${count(under)} under way in ${many(lanes.length + status.lanes_not_told, "lane")}${paused ? `, ${count(paused)} paused` : ""}`);
  const { registered, blocked, rejected, unreadable, ...others } = records.outcomes;
  say("registered", count(registered));
  say("registered-note", "since the start");
  const letters = blocked + rejected + unreadable;
  say("letters-note", showDepth("letters", status.dead_letters, () => `in their queue; ${count(letters)} since the start`));
  document.querySelector("[data-part=letters]").classList.toggle("some", Boolean(status.dead_letters && status.dead_letters.waiting));
  const kinds = Object.entries(others).filter(([, number]) => number);
  say("others", count(sum(kinds.map(([, number]) => number))));
  say("others-note", kinds.map(([kind, number]) => `${count(number)} ${kind}`).join(", ") || "duplicate, ignored, waiting, postponed");
  whenChanged("last", [status.last_registered, status.last_error], drawLast);
}

function drawLast([registered, error]) {
  if (registered) {
    const place = `${registered.path.replace(/\/$/, "")}/${registered.name}`;
    at("last-registered").replaceChildren(`${time(registered.at)} `, node("span", `${registered.dataset}: ${place}`, "object"));
  }
  if (error) {
    at("last-error").replaceChildren(`${time(error.at)} ${printable(error.what)}`, node("span", error.why, "note"));
    at("last-error").lastChild.before(node("br"));
  }
}

// Curves

const STEPS = 180;

function drawCurves(history) {
  for (const figure of document.querySelectorAll("[data-curve]")) drawCurve(figure, history);
}

function drawCurve(figure, history) {
  const name = figure.dataset.curve;
  const values = history[name];
  const age = name === "age";
  const most = Math.max(0, ...values);
  const now = age ? values.at(-1) || 0 : sum(values.slice(-12));
  figure.querySelector(".number").textContent = age ? lasting(now) : count(now);
  const caption = age ? `now; at most ${lasting(most)}` : `in the last minute; at most ${count(most)} in ${history.step_seconds} s`;
  const svg = figure.querySelector("svg");
  const x = (index) => STEPS - values.length + index;
  const y = (value) => (most ? 49 - (46 * value) / most : 49);
  const steps = values.map((value, index) => `L${x(index)} ${y(value).toFixed(2)}H${x(index) + 1}`).join("");
  const line = values.length ? `M${x(0)} ${y(values[0]).toFixed(2)}${steps.slice(steps.indexOf("H"))}` : "M0 49";
  const mark = svg.querySelector(".mark") || drawn("path", { class: "mark", d: "" });
  svg.setAttribute("aria-label", `${figure.querySelector("h3").textContent}, fifteen minutes: ${count(now)} ${caption}`);
  svg.replaceChildren(
    drawn("path", { class: "ground", d: "M0 49.5H180" }),
    drawn("path", { class: "area", d: `${line}V50H${STEPS - values.length}Z` }),
    drawn("path", { class: "line", d: line }),
    mark,
  );
  const told = figure.querySelector("figcaption");
  const point = () => {
    if (!svg.dataset.at || !values.length) { mark.setAttribute("d", ""); told.textContent = caption; return; }
    const index = Math.min(values.length - 1, Math.max(0, Math.floor(Number(svg.dataset.at) * STEPS) - (STEPS - values.length)));
    const moment = new Date(history.until).getTime() - (values.length - 1 - index) * history.step_seconds * 1000;
    mark.setAttribute("d", `M${x(index) + 0.5} 0V50`);
    told.textContent = `${time(moment)}: ${age ? lasting(values[index]) : count(values[index])}`;
  };
  svg.onpointermove = (event) => {
    const box = svg.getBoundingClientRect();
    svg.dataset.at = String((event.clientX - box.left) / box.width);
    point();
  };
  svg.onpointerleave = () => { delete svg.dataset.at; point(); };
  point();
}

// Quota and lanes

function drawQuota(quotas) {
  at("quota").replaceChildren(...quotas.map((quota) => {
    const { registration, general } = quota;
    const share = Math.min(1, registration.sent_in_a_minute / registration.a_minute);
    const spent = registration.tokens !== null && registration.tokens < 1 && share > 0.9;
    const arc = "M14 72A56 56 0 0 1 126 72";
    const said = `${count(registration.sent_in_a_minute)} of ${count(registration.a_minute)} registration requests in the last minute`;
    const svg = within(
      drawn("svg", { viewBox: "0 0 140 84", role: "img", "aria-label": `Team ${quota.team}: ${said}` }),
      drawn("path", { d: arc }),
      drawn("path", { d: arc, pathLength: 100, "stroke-dasharray": `${share ? share * 100 : 0} 200`, "stroke-opacity": share ? 1 : 0 }),
      drawn("text", { x: 70, y: 64 }, count(registration.sent_in_a_minute)),
      drawn("text", { x: 70, y: 80 }, `of ${count(registration.a_minute)} a minute`),
    );
    const left = (bucket) => (bucket.tokens === null ? "tokens not known" : `${bucket.tokens.toFixed(1)} of ${count(bucket.burst)} tokens at hand`);
    return within(
      node("div", undefined, spent ? "gauge spent" : "gauge"),
      svg,
      within(
        node("div"),
        node("p", `Team ${quota.team}`),
        node("p", `Registration: ${left(registration)}. Counted are the requests of this worker; a fleet shares the tokens.`, "note"),
        node("p", `All else, ${count(general.a_minute)} a minute: ${left(general)}.`, "note"),
      ),
    );
  }));
}

function table(heads, rows) {
  const line = (cells, tag) => within(node("tr"), ...cells.map(([content, className]) => {
    const cell = content instanceof Node ? within(node(tag, undefined, className), content) : node(tag, content, className);
    if (tag === "th") cell.scope = "col";
    return cell;
  }));
  return within(node("table"), within(node("thead"), line(heads, "th")), within(node("tbody"), ...rows.map((row) => line(row, "td"))));
}

const twoLines = (first, second, className) => within(document.createDocumentFragment(), node("span", first, className), node("span", second, "note"));

function drawLanes([lanes, more]) {
  const rows = lanes.map((lane) => {
    const options = Object.entries(lane.options).map(([name, value]) => `, ${name}: ${value}`).join("");
    const state = lane.paused
      ? twoLines(`paused for ${lasting(lane.paused.seconds)}`, `${lane.paused.kind.replaceAll("_", " ")}: ${lane.paused.why}`, "badtext")
      : lane.under_way ? "sending" : lane.waiting ? "waits for a token" : "idle";
    return [
      [twoLines(lane.dataset, `${lane.team}, from ${lane.storage}${options}`)],
      [count(lane.waiting), "n"], [count(lane.under_way), "n"], [count(lane.batch_items), "n wide"], [state],
    ];
  });
  const shown = table([["Dataset"], ["Waiting", "n"], ["Under way", "n"], ["Batch", "n wide"], ["State"]], rows);
  at("lanes").replaceChildren(rows.length ? shown : node("p", "No lane has been needed yet.", "note"));
  if (more) at("lanes").append(node("p", `and ${count(more)} more, which hold less`, "note"));
}

// Dead letters and batches

function drawReasons(reasons) {
  at("reasons").replaceChildren(...reasons.map((reason) => within(
    node("div", undefined, "reason"),
    within(node("h3"), node("span", reason.reason.replaceAll("_", " ")), node("span", count(reason.count))),
    within(node("ul"), ...reason.examples.map((example) => within(
      node("li"),
      node("p", example.object || "(no object can be read from it)", "object"),
      node("p", [example.dataset, example.detail].filter(Boolean).join(": "), "note"),
    ))),
  )));
}

let lookedAt = null;

function showLetters(status) {
  if (lookedAt) return;
  const known = status.dead_letters_since_start;
  say("letters-source", known.length
    ? "What this worker stored since it started, with the latest of each. There may be older ones in the queue."
    : "This worker has stored none since it started. There may be older ones in the queue.");
  whenChanged("reasons", known, drawReasons);
}

async function look() {
  at("look").disabled = true;
  say("letters-source", "Looking into the queue\u2026");
  try {
    const told = await asked("/dead-letters");
    lookedAt = told.looked;
    drawReasons(told.reasons);
    say("letters-source", `${told.sampled ? "A sample of the queue" : "The whole queue"}, at ${time(told.looked)}: ${many(told.letters, "letter")}, the same told twice counted once.`);
  } catch (error) {
    say("letters-source", printable(error.message));
  }
  at("look").disabled = false;
}

function drawBatches(batches) {
  const rows = batches.map((batch) => {
    const taken = batch.status !== null && batch.status >= 200 && batch.status < 300;
    const status = batch.status === null ? "no answer" : String(batch.status);
    return [
      [time(batch.at), "nowrap"], [taken ? node("span", batch.dataset) : twoLines(batch.dataset, batch.said)],
      [count(batch.items), "n"], [status, taken ? "n" : "n said"], [`${batch.seconds.toFixed(2)} s`, "n"],
    ];
  });
  const shown = table([["At"], ["Dataset"], ["Items", "n"], ["Answer", "n"], ["Took", "n"]], rows);
  at("batches").replaceChildren(rows.length ? shown : node("p", "No request has been sent yet.", "note"));
}

// What became of an object

async function asked(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  const text = await answer.text();
  let told = { error: text };
  try { told = JSON.parse(text); } catch { /* the server's own words */ }
  if (!answer.ok) throw new Error(told.error || `The worker answered ${answer.status}.`);
  return told;
}

async function ask(object) {
  const answer = at("answer");
  answer.hidden = false;
  answer.replaceChildren(node("p", object, "object"), node("p", "Asking S3, the ledger, the dead letters and Darwin\u2026", "note"));
  try {
    const told = await asked(`/why?object=${encodeURIComponent(object)}`);
    const facts = node("dl");
    for (const { about, text } of told.lines) facts.append(node("dt", about), node("dd", text));
    for (const [name, why] of Object.entries(told.unknown)) facts.append(node("dt", name), node("dd", `not known: ${why}`, "mildtext"));
    answer.replaceChildren(node("p", object, "object"), node("p", told.sentence, "sentence"), facts);
  } catch (error) {
    answer.replaceChildren(node("p", object, "object"), node("p", error.message, "badtext"));
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const object = at("object").value.trim();
  history.replaceState(null, "", `#${encodeURIComponent(object)}`);
  ask(object);
});
at("look").addEventListener("click", look);

// The line to the worker

let heard = 0;
let source = null;

function show(status) {
  document.body.dataset.state = status.state;
  document.title = `${WORDS[status.state]} \u2013 darwin-worker`;
  say("state", WORDS[status.state]);
  say("sentence", sentence(status));
  say("version", status.version);
  say("about", `Worker ${status.worker}, up for ${lasting(status.uptime_seconds)} since ${new Date(status.started).toLocaleString("en-GB")}.`);
  whenChanged("conditions", status.conditions, drawConditions);
  showFlow(status);
  whenChanged("history", status.history, drawCurves);
  whenChanged("quota", status.quota, drawQuota);
  whenChanged("lanes", [status.lanes, status.lanes_not_told], drawLanes);
  showLetters(status);
  whenChanged("batches", status.batches, drawBatches);
}

function lost() {
  if (document.body.dataset.link === "lost") return;
  document.body.dataset.link = "lost";
  say("link", heard ? `lost the worker; this is how it was at ${time(heard)}` : "the worker does not answer yet");
}

function connect() {
  source = new EventSource("/live");
  source.addEventListener("status", (event) => {
    heard = Date.now();
    document.body.dataset.link = "live";
    say("link", "live");
    show(JSON.parse(event.data));
  });
  source.onerror = () => {
    lost();
    // A browser tries again by itself after a broken connection, not after an answer that is no stream of events.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}

setInterval(() => { if (heard && Date.now() - heard > 6000) lost(); }, 1000);
connect();
if (location.hash.length > 1) {
  try { at("object").value = decodeURIComponent(location.hash.slice(1)); } catch { /* a broken link */ }
  if (at("object").value) ask(at("object").value);
}
