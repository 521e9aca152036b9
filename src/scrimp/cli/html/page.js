"use strict";
// Two small comforts: choosing a run, and reading the numbers of a step. The page says everything without them.
(() => {
  const chooser = document.getElementById("choose-run");
  if (!chooser) return;
  const data = JSON.parse(document.getElementById("data").textContent);
  const readout = document.getElementById("readout");
  const runs = [...document.querySelectorAll(".run")];
  const count = new Intl.NumberFormat("en-US");
  let step = -1;

  const current = () => Number(chooser.value);

  function element(name, text, css) {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (css) made.className = css;
    return made;
  }

  function line(name, css, amount) {
    const row = element("tr");
    const key = element("td");
    key.append(element("i", "", css), name);
    row.append(key, element("td", count.format(amount)));
    return row;
  }

  function describe(index) {
    const table = element("table");
    for (const panel of data.runs[current()]) {
      const head = element("tr", "", "head");
      const total = panel.stacks[index].reduce((sum, amount) => sum + amount, 0);
      head.append(element("th", panel.title), element("td", count.format(total)));
      table.append(head);
      panel.layers.forEach(([name, css], layer) => {
        if (panel.stacks[index][layer]) table.append(line(name, css, panel.stacks[index][layer]));
      });
    }
    readout.replaceChildren(element("b", `Step ${index + 1}`), table);
  }

  function place(x, y) {
    readout.hidden = false;
    const box = readout.getBoundingClientRect();
    const left = x + 18 + box.width > document.documentElement.clientWidth ? x - 18 - box.width : x + 18;
    const top = Math.max(8, Math.min(y - box.height / 2, window.innerHeight - box.height - 8));
    readout.style.left = `${Math.max(8, left)}px`;
    readout.style.top = `${top}px`;
  }

  function mark(index) {
    const steps = data.runs[current()][0].stacks.length;
    const width = (data.right - data.left) * data.width / steps;
    for (const cursor of runs[current()].querySelectorAll(".cursor")) {
      cursor.setAttribute("x", data.left * data.width + width * index);
      cursor.setAttribute("width", index < 0 ? 0 : width);
    }
  }

  function show(index, x, y) {
    if (index !== step) {
      step = index;
      mark(index);
      describe(index);
    }
    place(x, y);
  }

  function clear() {
    step = -1;
    mark(-1);
    readout.hidden = true;
  }

  function atPointer(event) {
    const svg = event.target.closest("svg");
    if (!svg) return clear();
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - data.left) / (data.right - data.left);
    const steps = data.runs[current()][0].stacks.length;
    if (share < 0 || share >= 1) return clear();
    show(Math.floor(share * steps), event.clientX, event.clientY);
  }

  function byKey(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") clear();
    if (!move) return;
    event.preventDefault();
    const steps = data.runs[current()][0].stacks.length;
    const index = Math.max(0, Math.min(steps - 1, step + move));
    const box = event.currentTarget.querySelector("svg").getBoundingClientRect();
    const share = data.left + (data.right - data.left) * (index + 0.5) / steps;
    show(index, box.left + box.width * share, box.top + box.height / 2);
  }

  for (const run of runs) {
    run.addEventListener("pointermove", atPointer);
    run.addEventListener("pointerleave", clear);
    run.addEventListener("blur", clear);
    run.addEventListener("keydown", byKey);
  }
  chooser.addEventListener("change", () => {
    step = -1;
    readout.hidden = true;
    runs.forEach((run, number) => { run.hidden = number !== current(); });
  });
  chooser.value = "0"; // browsers restore the last choice on reload, the markup shows the first run
})();
