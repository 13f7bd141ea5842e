"use strict";
// One player at a time; a line runs over the piano roll with the sound; a click on the roll jumps there.
const players = [...document.querySelectorAll("audio")];
for (const player of players) {
  player.addEventListener("play", () => players.forEach((other) => other === player || other.pause()));
  const roll = player.closest("article").querySelector(".roll");
  const head = roll.querySelector(".playhead");
  const seconds = JSON.parse(roll.dataset.seconds); // at each bar line
  const places = JSON.parse(roll.dataset.places); // of each bar line, 0-1 of the picture's width
  const between = (value, from, to) => {
    let bar = 0;
    while (bar < from.length - 2 && value >= from[bar + 1]) bar += 1;
    const share = Math.min(Math.max((value - from[bar]) / (from[bar + 1] - from[bar]), 0), 1);
    return to[bar] + share * (to[bar + 1] - to[bar]);
  };
  const draw = () => {
    head.classList.toggle("on", player.currentTime > 0);
    head.style.left = 100 * between(player.currentTime, seconds, places) + "%";
  };
  const follow = () => {
    draw();
    if (!player.paused && !player.ended) requestAnimationFrame(follow);
  };
  player.addEventListener("play", follow);
  player.addEventListener("seeking", draw);
  roll.classList.add("seekable");
  roll.addEventListener("click", (event) => {
    const box = roll.getBoundingClientRect();
    player.currentTime = between((event.clientX - box.left) / box.width, places, seconds);
  });
}
