// While `ablate report --watch` runs: shows the page that was written last. A reader can pause it.
const pause = document.getElementById("pause");
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
});
setInterval(() => {
  const reading = pause.getAttribute("aria-pressed") === "true" || String(getSelection());
  if (!reading && document.visibilityState === "visible") location.reload();
}, 1000 * pause.dataset.seconds);
