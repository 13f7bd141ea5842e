"use strict";
// A blind listening test. What is asked, and in which order for whom, was settled when the page was made: see
// woodshed/evaluation/listening.py. Nothing here knows who made which clip.
const test = JSON.parse(document.getElementById("test").textContent);
const byId = (id) => document.getElementById(id);
const now = () => new Date().toISOString();

// ---- who reads, and what has been answered; kept in the browser after every answer

const storage = (() => {
  try {
    localStorage.setItem("woodshed", "");
    localStorage.removeItem("woodshed");
    return localStorage;
  } catch {
    return null; // private windows and some settings allow none
  }
})();
const turnPlace = `woodshed listening ${test.test}`;
const placeOf = (reader) => `${turnPlace} ${readerKey(reader)}`;
const plainText = (words) => new TextDecoder().decode(new TextEncoder().encode(words)).trim().split(/\s+/).join(" ");
const readerKey = (reader) => plainText(reader).toLowerCase();

function fnv1a(words) {
  let number = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(words)) number = Math.imul(number ^ byte, 0x01000193) >>> 0;
  return number;
}

const sheetNumber = (reader) => fnv1a(`${test.test}:${readerKey(reader)}`) % test.sheets.length;

let session = null;
const asked = () => test.sheets[session.sheet];
const isDone = () => session.answers.length >= asked().length;

function load(reader) {
  try {
    const kept = JSON.parse(storage?.getItem(placeOf(reader)) ?? "null");
    return Array.isArray(kept?.answers) && test.sheets[kept.sheet] ? kept : null;
  } catch {
    return null; // something else wrote there
  }
}

function keep() {
  try {
    storage?.setItem(placeOf(session.reader), JSON.stringify(session));
    storage?.setItem(turnPlace, session.reader);
  } catch {
    warn("This browser is full and keeps no more answers. Save them before you close the page.");
  }
}

function results() {
  const found = {
    format: "woodshed listening results", version: 1, woodshed: test.woodshed, test: test.test,
    question: test.question, seed: test.seed, reader: session.reader, experience: session.experience,
    equipment: session.equipment, sheet: session.sheet, started: session.started, saved: now(),
    asked: asked().length, answers: session.answers,
  };
  const checksum = fnv1a(JSON.stringify(found)).toString(16).padStart(8, "0");
  return JSON.stringify({ ...found, checksum });
}

function save() {
  const name = readerKey(session.reader).replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "reader";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([results()], { type: "application/json" }));
  link.download = `listening-${test.test}-${name}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---- clips

const addresses = new Map();
function address(clip) {
  if (!addresses.has(clip)) {
    const bytes = Uint8Array.from(atob(test.clips[clip]), (sign) => sign.charCodeAt(0));
    addresses.set(clip, URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" })));
  }
  return addresses.get(clip);
}

const clock = (at) => `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, "0")}`;

class Player {
  constructor(card) {
    this.card = card;
    this.name = card.dataset.name;
    this.button = card.querySelector(".play");
    this.place = card.querySelector(".place");
    this.place.max = test.seconds;
    this.time = card.querySelector(".time");
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.button.addEventListener("click", () => toggle(this));
    this.place.addEventListener("input", () => (this.audio.currentTime = this.last = Number(this.place.value)));
    this.audio.addEventListener("timeupdate", () => this.count());
    this.audio.addEventListener("seeked", () => this.draw());
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.changed());
    this.audio.addEventListener("error", () => {
      if (this.clip) warn("This browser cannot play the clips. Please try another one.");
    });
  }

  show(clip) {
    this.audio.pause();
    Object.assign(this, { clip, heard: 0, plays: 0, last: 0 });
    this.audio.src = address(clip);
    this.draw();
    this.changed();
  }

  get isPlaying() {
    return Boolean(this.clip) && !this.audio.paused && !this.audio.ended;
  }

  get mayBeJudged() {
    return this.heard >= test.must_hear_ms / 1000;
  }

  start() {
    if (this.audio.ended) this.audio.currentTime = 0;
    this.last = this.audio.currentTime;
    this.plays += 1;
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") warn(`The clip cannot be played: ${error.message}`);
    });
  }

  count() {
    const passed = this.audio.currentTime - this.last;
    if (passed > 0 && passed < 2) this.heard += passed; // what was jumped over was not heard
    this.last = this.audio.currentTime;
    this.draw();
    unlock();
  }

  changed() {
    this.count();
    this.card.classList.toggle("playing", this.isPlaying);
    this.button.setAttribute("aria-label", `${this.isPlaying ? "Stop" : "Play"} ${this.name}`);
    const follow = () => {
      this.draw();
      if (this.isPlaying) requestAnimationFrame(follow);
    };
    if (this.isPlaying) follow();
  }

  draw() {
    const at = Math.min(this.audio.currentTime || 0, test.seconds);
    this.card.style.setProperty("--played", `${(100 * at) / test.seconds}%`);
    this.place.value = at;
    this.place.setAttribute("aria-valuetext", `${Math.floor(at)} of ${Math.round(test.seconds)} seconds`);
    this.time.textContent = `${clock(at)} / ${clock(test.seconds)}`;
  }
}

const players = [...document.querySelectorAll(".clip")].map((card) => new Player(card));
let inUse = 0;

function toggle(player) {
  inUse = players.indexOf(player);
  if (player.isPlaying) {
    player.audio.pause();
    return;
  }
  for (const other of players) if (other !== player) other.audio.pause();
  player.start();
}

/** Space: stop what plays, else go on; the other clip if this one has ended and that one was not heard. */
function toggleInUse() {
  const other = players[1 - inUse];
  toggle(players[inUse].audio.ended && other && !other.mayBeJudged ? other : players[inUse]);
}

// ---- one trial after another

const choices = [...document.querySelectorAll(".choice")];
let shownAt = 0;
let chosen = null;
let clips = [];

const show = (id) => ["welcome", "trial", "done"].forEach((name) => (byId(name).hidden = name !== id));
const say = (words) => (byId("status").textContent = words);

function warn(words) {
  byId("warning").textContent = words;
  byId("warning").hidden = false;
}

function showTrial() {
  const entry = asked()[session.answers.length];
  const trial = test.trials[entry >> 1];
  clips = entry & 1 ? [...trial].reverse() : [...trial];
  players.forEach((player, index) => player.show(clips[index]));
  inUse = 0;
  chosen = null;
  shownAt = performance.now();
  byId("known").checked = false;
  const [done, all] = [session.answers.length, asked().length];
  byId("count").textContent = `${test.question === "pairs" ? "Pair" : "Clip"} ${done + 1} of ${all}`;
  byId("bar").max = all;
  byId("bar").value = done;
  byId("progress").hidden = false;
  show("trial");
  say("");
  unlock();
  byId("ask").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

const unheard = () => players.filter((player) => !player.mayBeJudged);

/** What may be pressed by now. Buttons stay reachable while they are locked, and say why when pressed. */
function unlock() {
  const locked = unheard().length > 0;
  for (const [index, choice] of choices.entries()) {
    choice.setAttribute("aria-disabled", String(locked));
    choice.setAttribute("aria-pressed", String(chosen === index));
    choice.closest(".clip")?.classList.toggle("chosen", choices.length === players.length && chosen === index);
  }
  byId("next").setAttribute("aria-disabled", String(chosen === null));
}

function choose(index) {
  const missing = unheard();
  if (missing.length) {
    const least = Math.ceil(test.must_hear_ms / 1000);
    say(`First hear at least ${least} second${least === 1 ? "" : "s"} of ${missing.map((player) => player.name).join(" and ")}.`);
    return;
  }
  chosen = index;
  say(choices[index].dataset.said);
  unlock();
}

function next() {
  if (chosen === null) {
    say(unheard().length ? "Listen, then choose." : "Choose first.");
    return;
  }
  for (const player of players) {
    player.audio.pause();
    player.count();
  }
  session.answers.push({
    trial: asked()[session.answers.length] >> 1,
    clips,
    answer: test.question === "pairs" ? clips[chosen] : choices[chosen].dataset.answer,
    known: byId("known").checked,
    heard_ms: players.map((player) => Math.round(1000 * player.heard)),
    plays: players.map((player) => player.plays),
    took_ms: Math.round(performance.now() - shownAt),
    at: now(),
  });
  keep();
  goOn();
}

function goOn() {
  if (!isDone()) {
    showTrial();
    return;
  }
  byId("count").textContent = "Done";
  byId("bar").max = byId("bar").value = asked().length;
  byId("progress").hidden = false;
  byId("summary").textContent = `${session.reader}, you have answered all ${asked().length}.`;
  byId("text").value = results();
  show("done");
  byId("thanks").focus();
}

function welcome() {
  session = null;
  storage?.removeItem(turnPlace);
  players.forEach((player) => player.audio.pause());
  byId("progress").hidden = true;
  byId("form").reset();
  show("welcome");
  byId("reader").focus();
}

function start(event) {
  event.preventDefault();
  const form = new FormData(byId("form"));
  const reader = plainText(byId("reader").value);
  if (!reader) {
    byId("reader").value = "";
    byId("form").reportValidity();
    return;
  }
  session = load(reader) ?? {
    reader, experience: form.get("experience"), equipment: form.get("equipment"), sheet: sheetNumber(reader),
    started: now(), answers: [],
  };
  keep();
  goOn();
}

/** Three notes as loud as the clips: a sine that peaks at -18 dB has -18 LUFS. */
function playTone() {
  const sound = new AudioContext();
  const level = new GainNode(sound, { gain: 10 ** (test.lufs / 20) });
  level.connect(sound.destination);
  [440, 554.37, 659.26].forEach((frequency, index) => {
    const note = new OscillatorNode(sound, { frequency });
    note.connect(level);
    note.start(sound.currentTime + 0.4 * index);
    note.stop(sound.currentTime + 0.4 * index + 0.35);
  });
  setTimeout(() => sound.close(), 2000);
}

// ---- keys

const actions = {
  " ": toggleInUse,
  Enter: next,
  k: () => byId("known").click(),
  1: () => choose(0),
  2: () => choose(1),
  ...(test.question === "pairs"
    ? { ArrowLeft: () => toggle(players[0]), ArrowRight: () => toggle(players[1]) }
    : { h: () => choose(0), m: () => choose(1) }),
};

document.addEventListener("keydown", (event) => {
  if (byId("trial").hidden || !byId("use-keys").checked) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const inside = event.target.closest("button, summary, a, input, textarea");
  const digit = /^(?:Digit|Numpad)([12])$/.exec(event.code);
  const key = digit ? digit[1] : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (inside && (key === " " || key === "Enter")) return; // they press what has the focus
  if (inside?.type === "range" && key.startsWith("Arrow")) return;
  const action = Object.hasOwn(actions, key) ? actions[key] : null;
  if (!action) return;
  event.preventDefault();
  if (!event.repeat) action();
});

choices.forEach((choice, index) => choice.addEventListener("click", () => choose(index)));
byId("form").addEventListener("submit", start);
byId("tone").addEventListener("click", playTone);
byId("next").addEventListener("click", next);
byId("save").addEventListener("click", save);
byId("save-part").addEventListener("click", save);
byId("leave").addEventListener("click", welcome);
byId("another").addEventListener("click", welcome);
byId("text").addEventListener("focus", () => byId("text").select());

if (!storage) warn("This browser keeps nothing: save your answers before you close or reload the page.");
session = load(storage?.getItem(turnPlace) ?? "");
if (session) goOn();
else welcome();
