// The switches of the figures: side by side, swipe or difference; zoom; how much of the new one is seen in a swipe.
for (const compare of document.querySelectorAll('.compare')) {
  for (const button of compare.querySelectorAll('button'))
    button.addEventListener('click', () => (compare.dataset.mode = button.dataset.mode));
  for (const slider of compare.querySelectorAll('input'))
    slider.addEventListener('input', () => compare.style.setProperty(`--${slider.className}`, slider.value));
}
