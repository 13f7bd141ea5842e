"use strict";
// Each passage is played by a small synthesiser in the page; one at a time; a line runs over its piano roll.
let context = null;
let playing = null; // the button, what sounds, and the timer of the line

const stop = () => {
  if (!playing) return;
  playing.sounds.forEach((sound) => { try { sound.stop(); } catch (error) { /* it had not begun */ } });
  cancelAnimationFrame(playing.timer);
  playing.button.textContent = playing.button.dataset.label;
  playing.button.setAttribute("aria-pressed", "false");
  playing.head.style.opacity = 0;
  playing = null;
};

const noise = () => {
  const buffer = context.createBuffer(1, context.sampleRate / 4, context.sampleRate);
  const samples = buffer.getChannelData(0);
  let seed = 1;
  for (let i = 0; i < samples.length; i += 1) {
    seed = (seed * 16807) % 2147483647;
    samples[i] = (seed / 1073741824 - 1) * Math.exp((-12 * i) / samples.length);
  }
  return buffer;
};

const sound = (note, start) => {
  const [begin, seconds, pitch, velocity, , isDrum] = note;
  const at = start + begin;
  const gain = context.createGain();
  const level = 0.05 + (0.16 * velocity) / 127;
  let voice;
  if (isDrum) {
    if (pitch < 37) {
      voice = context.createOscillator();
      voice.frequency.setValueAtTime(130, at);
      voice.frequency.exponentialRampToValueAtTime(45, at + 0.12);
      gain.gain.setValueAtTime(3 * level, at);
    } else {
      voice = context.createBufferSource();
      voice.buffer = noise();
      voice.playbackRate.value = pitch < 42 ? 0.6 : 1.6;
      gain.gain.setValueAtTime(1.4 * level, at);
    }
    gain.gain.exponentialRampToValueAtTime(0.0001, at + 0.18);
  } else {
    voice = context.createOscillator();
    voice.type = "triangle";
    voice.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    gain.gain.setValueAtTime(0.0001, at);
    gain.gain.exponentialRampToValueAtTime(level, at + 0.008);
    gain.gain.exponentialRampToValueAtTime(0.6 * level, at + Math.max(seconds - 0.02, 0.02));
    gain.gain.exponentialRampToValueAtTime(0.0001, at + seconds + 0.05);
  }
  voice.connect(gain).connect(context.destination);
  voice.start(at);
  voice.stop(at + (isDrum ? 0.2 : seconds + 0.06));
  return voice;
};

const play = (button) => {
  context = context || new AudioContext();
  context.resume();
  const side = button.closest(".side");
  const notes = JSON.parse(side.dataset.notes);
  const length = Number(side.dataset.seconds);
  const start = context.currentTime + 0.08;
  const head = side.querySelector(".playhead");
  playing = { button, head, sounds: notes.map((note) => sound(note, start)), timer: 0 };
  button.textContent = "Stop";
  button.setAttribute("aria-pressed", "true");
  const follow = () => {
    const share = (context.currentTime - start) / length;
    if (share >= 1) { stop(); return; }
    head.style.opacity = 0.9;
    head.style.left = 100 * Math.max(share, 0) + "%";
    playing.timer = requestAnimationFrame(follow);
  };
  follow();
};

for (const button of document.querySelectorAll("button[data-label]")) {
  button.addEventListener("click", () => {
    const again = playing && playing.button === button;
    stop();
    if (!again) play(button);
  });
}
