// SPDX-License-Identifier: GPL-3.0-or-later
// The admin page. Tokens are in the memory of this page alone: pages of services have the same origin, and what is in storage they could read.
// The browser's cookie, which opens the services, no script can read.
"use strict";

const session = { id: "", level: "", access: "", refresh: "", until: 0 };
const seen = { links: [], accounts: [], next: null, overview: null };
let language = "en";

const $ = (id) => document.getElementById(id);

// Words ---------------------------------------------------------------------------------------------------------------------------------------------

function say(key, ...values) {
  return (WORDS[language][key] || WORDS.en[key] || key).replace(/\{(\d)\}/g, (_whole, number) => values[Number(number)]);
}

function state(word) {
  return (STATES[language] || {})[word] || word;
}

function choose(wanted) {
  language = wanted in WORDS ? wanted : "en";
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", say(one.dataset.label));
  for (const one of document.querySelectorAll(".language")) one.setAttribute("aria-pressed", String(one.dataset.language === language));
  draw();
}

function remembered() {
  try {
    return localStorage.getItem("skp_language");
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(wanted) {
  try {
    localStorage.setItem("skp_language", wanted);
  } catch {
    // it is chosen for now
  }
}

function first() {
  const wanted = [remembered(), ...navigator.languages.map((one) => one.split("-")[0])];
  return wanted.find((one) => one in WORDS) || "en";
}

// Requests ------------------------------------------------------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function ask(method, path, body, token) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = "Bearer " + token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "same-origin" });
  } catch {
    throw new Refused(503, "");
  }
  const text = await answer.text();
  let found = {};
  try {
    found = text ? JSON.parse(text) : {};
  } catch {
    // not an answer of the service: its status says enough
  }
  if (!answer.ok) throw new Refused([500, 502, 504].includes(answer.status) ? 503 : answer.status, found.error || "");
  return { found, headers: answer.headers };
}

// A call with the access token, refreshed first if it has ended.
async function call(method, path, body) {
  if (Date.now() > session.until - 10000) await refresh();
  return ask(method, path, body, session.access);
}

function take(found) {
  session.id = found.id;
  session.level = found.level;
  session.access = found.access_token;
  session.refresh = found.refresh_token || session.refresh;
  session.until = Date.now() + found.expires_in * 1000;
}

async function refresh() {
  take((await ask("PUT", "/v1/tokens?cookie=true", undefined, session.refresh)).found);
}

function forget() {
  Object.assign(session, { id: "", level: "", access: "", refresh: "", until: 0 });
  Object.assign(seen, { links: [], accounts: [], next: null, overview: null });
  $("token-text").value = "";
  $("token-show").setAttribute("aria-pressed", "false");
}

function tell(text) {
  $("wrong").textContent = "";
  $("said").textContent = text;
}

function complain(error, ended) {
  $("said").textContent = "";
  if (!(error instanceof Refused)) {
    console.error(error);
    $("wrong").textContent = say("error_other", error.message);
    return;
  }
  const key = error.status === 401 && ended ? "error_ended" : "error_" + error.status;
  $("wrong").textContent = key in WORDS.en && !(error.status === 403 && error.message) ? say(key) : say("error_other", error.message || error.status);
}

// Runs what an event asks for, one at a time, and says what went wrong.
function when(element, event, action) {
  element.addEventListener(event, async (happened) => {
    if (event === "submit") happened.preventDefault();
    if (element.dataset.busy) return;
    element.dataset.busy = "yes";
    try {
      await action(happened);
    } catch (error) {
      complain(error, element.id !== "sign-form");
      if (error.status === 401 && element.id !== "sign-form" && element.id !== "own-form") {
        forget();
        draw();
      }
    } finally {
      delete element.dataset.busy;
    }
  });
}

// What is shown -------------------------------------------------------------------------------------------------------------------------------------

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function table(titles, rows) {
  const made = document.createElement("table");
  fill(made, titles, rows);
  return made;
}

// rows: lists of texts or nodes. The first of each row is its heading.
function fill(made, titles, rows) {
  const head = element("thead"), body = element("tbody"), line = element("tr");
  for (const title of titles) line.append(element("th", title, { scope: "col" }));
  head.append(line);
  for (const row of rows) {
    const tr = element("tr");
    row.forEach((value, number) => {
      const cell = number ? element("td") : element("th", undefined, { scope: "row" });
      cell.append(value instanceof Node ? value : String(value));
      tr.append(cell);
    });
    body.append(tr);
  }
  made.replaceChildren(head, body);
}

function draw() {
  const signed = Boolean(session.id), full = Boolean(session.access);
  $("who").textContent = signed ? `${session.id} (${say("level_" + session.level)})` : "";
  $("sign-out").hidden = !signed;
  $("sign").hidden = full;
  $("sign-why").hidden = !signed;
  $("open").hidden = $("overview").hidden = !signed;
  $("token").hidden = $("own").hidden = !full;
  $("accounts").hidden = !(full && session.level === "A");
  drawLinks();
  drawToken();
  drawAccounts();
  drawOverview();
}

function drawLinks() {
  const items = seen.links.map((one) => {
    const item = element("li"), link = element("a", one.title, { href: one.path, target: "_blank", rel: "noopener" });
    if (one.login) link.append(element("br"), element("small", say("login_" + one.login)));
    item.append(link);
    return item;
  });
  $("links").replaceChildren(...(items.length ? items : [element("li", say("no_services"))]));
}

function drawToken() {
  const shown = $("token-show").getAttribute("aria-pressed") === "true";
  $("token-text").value = shown ? session.access : session.access ? "•".repeat(40) : "";
  $("token-show").textContent = say(shown ? "hide" : "show");
  const left = session.until - Date.now();
  $("token-until").textContent = !session.access ? "" : left > 0 ? say("token_until", new Date(session.until).toLocaleTimeString(language)) : say("token_ended");
}

function drawAccounts() {
  const rows = seen.accounts.map((one) => {
    const actions = element("div"), own = one.id === session.id;
    const add = (key, action) => {
      const button = element("button", say(key), { type: "button", "aria-label": `${say(key)}: ${one.id}` });
      when(button, "click", action);
      actions.append(button);
    };
    if (!own) {
      add(one.active ? "disable" : "enable", () => change(one.id, { active: !one.active }));
      add(one.level === "A" ? "make_U" : "make_A", () => change(one.id, { level: one.level === "A" ? "U" : "A" }));
      add("new_password", async () => {
        const pw = await question("ask_password", one.id, "change", true);
        if (pw) await change(one.id, { pw });
      });
      add("remove", async () => {
        if (!(await question("ask_remove", one.id, "remove", false))) return;
        await call("DELETE", "/v1/accounts/" + encodeURIComponent(one.id));
        tell(say("removed", one.id));
        await loadAccounts();
      });
    }
    return [one.id, say("level_" + one.level), say(one.active ? "active" : "not_active"), new Date(one.create_datetime).toLocaleDateString(language), actions];
  });
  fill($("accounts-table"), ["name", "level", "state", "made", "actions"].map((key) => say(key)), rows);
  $("accounts-more").hidden = seen.next === null;
}

function when_text(text) {
  const time = Date.parse(text.replace(" UTC", "Z").replace(" ", "T"));
  const minutes = Math.round((time - Date.now()) / 60000), format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const far = Math.abs(minutes);
  const age = far < 120 ? format.format(minutes, "minute") : far < 2880 ? format.format(Math.round(minutes / 60), "hour") : format.format(Math.round(minutes / 1440), "day");
  return say("age", age, new Date(time).toLocaleString(language));
}

function addresses(list) {
  const made = element("span");
  list.forEach((one, number) => {
    if (number) made.append(", ");
    made.append(/^https?:\/\//.test(one) ? element("a", one, { href: one, target: "_blank", rel: "noopener" }) : one);
  });
  return made;
}

function part(title, ...content) {
  const made = element("section"), id = "part-" + title, wide = element("div", undefined, { class: "wide", role: "group", tabindex: "0", "aria-labelledby": id });
  wide.append(...content);
  made.append(element("h3", say(title), { id }), wide);
  return made;
}

function drawOverview() {
  const { run, nodes } = seen.overview || {};
  $("tables").replaceChildren();
  $("state").textContent = "";
  $("age").textContent = run ? when_text(run.time) : say("no_overview");
  if (!run) return;
  $("state").textContent = run.problems.length ? say("problems", run.problems.length) : say("all_well");
  $("state").className = run.problems.length ? "bad" : "good";
  const titles = (...keys) => keys.map((key) => say(key));
  const mark = (good, text) => element("span", text, { class: good ? "good" : "bad" });
  if (run.problems.length) {
    $("tables").append(part("found", table(titles("subject", "where", "found", "next"), run.problems.map((one) => [one.subject, one.where, one.found, one.next]))));
  }
  $("tables").append(
    part("nodes", table(titles("node", "state", "role", "engine", "labels"), run.nodes.map((one) => [
      one.name, mark(one.state === "ready", state(one.state)), state(one.role), one.engine, one.labels.join(", ")]))),
    part("services", table(titles("service", "running", "where", "links", "last_error"), run.services.map((one) => [
      one.name, mark(one.healthy, say("of", one.running, one.wanted)), one.hosts.join(", "), addresses(one.urls), one.last_error ? one.last_error.text : ""]))),
    part("registry", table(titles("image", "digest"), run.registry.map((one) => [`${one.repository}:${one.tag}`, one.digest.slice(0, 19)]))),
    part("volumes", ...volumesOf(nodes, titles, mark)));
}

function volumesOf(nodes, titles, mark) {
  if (!nodes) return [element("p", say("volumes_unknown"))];
  const age = element("p", when_text(nodes.time));
  if (!nodes.volumes.length) return [age, element("p", say("no_volumes"))];
  return [age, table(titles("volume", "node", "path", "state", "found"), nodes.volumes.map((one) => [
    one.name, one.host, one.path, mark(one.state === "ok", state(one.state)), one.why]))];
}

// What is loaded ------------------------------------------------------------------------------------------------------------------------------------

async function here() {
  const { headers } = await ask("GET", "/v1/tokens/check");
  session.id = headers.get("X-Skp-Account") || "";
  session.level = headers.get("X-Skp-Level") || "";
}

async function loadLinks() {
  const all = (await ask("GET", "/overview/services.json")).found;
  const areas = [...new Set(all.map((one) => one.area))];
  const open = new Set();
  await Promise.all(areas.map(async (area) => {
    try {
      await ask("GET", "/v1/tokens/check?area=" + encodeURIComponent(area));
      open.add(area);
    } catch (error) {
      if (error.status !== 403) throw error;
    }
  }));
  seen.links = all.filter((one) => open.has(one.area));
}

async function document_of(name) {
  try {
    return (await ask("GET", "/overview/" + name)).found;
  } catch (error) {
    if (error.status === 404) return null; // no run has written it yet
    throw error;
  }
}

async function loadOverview() {
  const [run, nodes] = await Promise.all([document_of("run.json"), document_of("status.json")]);
  seen.overview = { run: nodes && (!run || nodes.time > run.time) ? nodes : run, nodes };
}

async function loadAccounts(after) {
  const { found } = await call("GET", "/v1/accounts" + (after ? "?after=" + encodeURIComponent(after) : ""));
  seen.accounts = after ? seen.accounts.concat(found.accounts) : found.accounts;
  seen.next = found.next;
  drawAccounts();
}

async function load() {
  draw();
  const parts = [loadLinks(), loadOverview()];
  if (session.access && session.level === "A") parts.push(loadAccounts());
  for (const one of await Promise.allSettled(parts)) if (one.status === "rejected" && one.reason.status !== 403) complain(one.reason, true);
  draw();
}

async function change(id, values) {
  await call("PUT", "/v1/accounts/" + encodeURIComponent(id), values);
  tell(say("changed", id));
  await loadAccounts();
}

// The password that was typed, "yes", or "" for no.
function question(title, id, yes, password) {
  const box = $("ask");
  $("ask-title").textContent = say(title, id);
  $("ask-yes").textContent = say(yes);
  $("ask-field").hidden = !password;
  $("ask-password").required = password;
  $("ask-password").value = "";
  return new Promise((resolve) => {
    box.onclose = () => {
      const typed = password ? $("ask-password").value : "yes";
      $("ask-password").value = "";
      resolve(box.returnValue === "yes" ? typed : "");
    };
    box.returnValue = "";
    box.showModal();
  });
}

// Where the gateway sent somebody away from, if it is a page of this gateway.
function wanted() {
  const found = /^\?next=(\/.*)$/.exec(location.search);
  if (!found) return "";
  try {
    const target = new URL(found[1] + location.hash, location.origin);
    return target.origin === location.origin && target.pathname !== "/" ? target.href : "";
  } catch {
    return "";
  }
}

async function begin() {
  choose(first());
  try {
    await here();
  } catch (error) {
    if (error.status !== 401) complain(error, false);
    draw();
    return;
  }
  // Links of other sites bring no cookie along; from this page the browser sends it.
  if (wanted()) return location.replace(wanted());
  await load();
}

// What people do --------------------------------------------------------------------------------------------------------------------------------------

for (const one of document.querySelectorAll(".language")) {
  one.addEventListener("click", () => {
    remember(one.dataset.language);
    choose(one.dataset.language);
  });
}
when($("sign-form"), "submit", async () => {
  const pw = $("password").value;
  $("password").value = "";
  take((await ask("POST", "/v1/tokens?cookie=true", { id: $("name").value, pw })).found);
  if (wanted()) return location.replace(wanted());
  tell(say("signed_in", session.id));
  await load();
  $("main").focus();
});
when($("sign-out"), "click", async () => {
  try {
    await ask("DELETE", "/v1/tokens", undefined, session.refresh || undefined);
  } catch (error) {
    if (error.status !== 401) throw error; // it had ended already
  }
  forget();
  draw();
  tell(say("signed_out"));
  $("name").focus();
});
when($("token-show"), "click", () => {
  $("token-show").setAttribute("aria-pressed", String($("token-show").getAttribute("aria-pressed") !== "true"));
  drawToken();
});
when($("token-copy"), "click", async () => {
  await navigator.clipboard.writeText(session.access);
  tell(say("copied"));
});
when($("token-refresh"), "click", async () => {
  await refresh();
  drawToken();
  tell(say("refreshed"));
});
when($("own-form"), "submit", async () => {
  const values = { pw: $("own-new").value, pw_now: $("own-now").value };
  $("own-form").reset();
  await call("PUT", "/v1/accounts/" + encodeURIComponent(session.id), values);
  forget();
  draw();
  tell(say("changed_sign_in"));
});
when($("new-form"), "submit", async () => {
  const id = $("new-name").value;
  await call("POST", "/v1/accounts", { id, pw: $("new-password").value, level: $("new-level").value, active: true });
  $("new-form").reset();
  tell(say("created", id));
  await loadAccounts();
});
when($("accounts-more"), "click", () => loadAccounts(seen.next));
setInterval(drawToken, 5000);
begin();
