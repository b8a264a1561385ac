"use strict";
for (const tabs of document.querySelectorAll(".tabs")) {
  const buttons = [...tabs.querySelectorAll(":scope > [role=tablist] > [role=tab]")];
  const panels = buttons.map(button => document.getElementById(button.getAttribute("aria-controls")));
  const choose = (chosen, focus) => buttons.forEach((button, i) => {
    button.setAttribute("aria-selected", String(i === chosen));
    button.tabIndex = i === chosen ? 0 : -1;
    panels[i].hidden = i !== chosen;
    if (focus && i === chosen) button.focus();
  });
  choose(0, false);
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => choose(i, false));
    button.addEventListener("keydown", event => {
      const last = buttons.length - 1;
      const next = { ArrowRight: i === last ? 0 : i + 1, ArrowLeft: i === 0 ? last : i - 1, Home: 0, End: last }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      choose(next, true);
    });
  });
}
for (const compare of document.querySelectorAll(".compare")) {
  const stack = compare.querySelector(".stack"), slider = compare.querySelector("input");
  const cut = () => {
    stack.style.setProperty("--cut", slider.value + "%");
    slider.setAttribute("aria-valuetext", slider.value + " % before");
  };
  const drag = event => {
    const box = stack.getBoundingClientRect();
    slider.value = Math.round(100 * (event.clientX - box.left) / box.width);
    cut();
  };
  slider.addEventListener("input", cut);
  stack.addEventListener("pointerdown", event => {
    stack.setPointerCapture(event.pointerId);
    drag(event);
    event.preventDefault();
  });
  stack.addEventListener("pointermove", event => { if (event.buttons) drag(event); });
  cut();
}
for (const progress of document.querySelectorAll(".progress")) {
  const frames = [...progress.querySelectorAll(".frame")], slider = progress.querySelector("input");
  const output = progress.querySelector("output"), play = progress.querySelector(".play");
  let timer = null;
  const turn = () => {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(slider.value); });
    output.value = "step " + frames[Number(slider.value)].dataset.step;
    slider.setAttribute("aria-valuetext", output.value);
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  slider.addEventListener("input", () => { stop(); turn(); });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) === frames.length - 1) slider.value = 0;
    turn();
    play.textContent = "Stop";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      turn();
      if (Number(slider.value) === frames.length - 1) stop();
    }, 500);
  });
  turn();
}
for (const chart of document.querySelectorAll(".chart")) {
  const { x, rate, curves } = JSON.parse(chart.dataset.chart), [left, right, from, to] = x;
  const svg = chart.querySelector("svg"), cursor = chart.querySelector(".cursor"), reading = chart.querySelector(".reading");
  const steps = [...new Set(curves.flatMap(curve => curve.points.map(point => point[0])))].sort((a, b) => a - b);
  let at = steps.length;
  const text = value => rate ? (100 * value).toPrecision(3) + " %" : Number(value.toPrecision(4)).toString();
  const show = i => {
    at = Math.max(0, Math.min(steps.length - 1, i));
    const place = right > left ? from + (steps[at] - left) / (right - left) * (to - from) : (from + to) / 2;
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    cursor.setAttribute("visibility", "visible");
    const values = curves.map(curve => {
      const point = curve.points.find(point => point[0] === steps[at]);
      return point && (curves.length > 1 ? curve.run + ": " : "") + text(point[1]);
    });
    reading.value = "step " + steps[at].toLocaleString("en") + ": " + values.filter(Boolean).join("\n");
  };
  const point = event => {
    const box = svg.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const step = left + (place - from) / (to - from) * (right - left);
    show(steps.reduce((best, each, i) => Math.abs(each - step) < Math.abs(steps[best] - step) ? i : best, 0));
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("keydown", event => {
    const next = { ArrowLeft: at - 1, ArrowRight: at === steps.length ? 0 : at + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    show(next);
  });
}
for (const boxes of document.querySelectorAll(".boxes")) {
  const slider = boxes.querySelector("input[type=range]"), output = boxes.querySelector("output");
  const switches = [...boxes.querySelectorAll(".switches input[value]:not(.truth):not(.names)")];
  const truth = boxes.querySelector(".truth"), names = boxes.querySelector(".names"), counts = boxes.querySelector(".counts");
  const show = () => {
    const least = Number(slider.value);
    const off = new Set(switches.filter(one => !one.checked).map(one => one.value));
    boxes.classList.toggle("nameless", !names.checked);
    output.value = least.toFixed(2);
    let total = 0, allWrong = 0, objects = 0, lost = 0;
    for (const figure of boxes.querySelectorAll("figure")) {
      let found = 0, wrong = 0, missed = 0;
      for (const box of figure.querySelectorAll("g")) {
        const { class: kind, score, at } = box.dataset, hidden = off.has(kind);
        if (score !== undefined) {
          const seen = !hidden && Number(score) > least;
          box.toggleAttribute("hidden", !seen);
          found += seen;
          wrong += seen && box.classList.contains("wrong");
        } else {
          const gone = box.dataset.ignored === undefined && Number(at) <= least;
          box.classList.toggle("missed", gone);
          box.toggleAttribute("hidden", hidden || !truth.checked);
          missed += !hidden && gone;
          objects += !hidden && box.dataset.ignored === undefined;
        }
      }
      const words = [found + " found"];
      if (wrong) words.push(wrong + " wrong");
      if (missed) words.push(missed + " missed");
      figure.querySelector(".said").textContent = words.join(", ");
      total += found;
      allWrong += wrong;
      lost += missed;
    }
    counts.textContent = `In these images: ${total} found, ${allWrong} of them wrong; ${objects} there, ${lost} of them missed.`;
  };
  for (const one of [slider, truth, names, ...switches]) one.addEventListener("input", show);
  show();
}
const models = [];
const inked = () => {
  const look = getComputedStyle(document.documentElement);
  const [ink, muted, rule] = ["--ink", "--muted", "--rule"].map(name => look.getPropertyValue(name).trim());
  for (const model of models) {
    if (model.type === "Title") model.text_color = ink;
    else if (model.type === "Legend") model.label_text_color = ink;
    else if (model.type === "Grid") model.grid_line_color = rule;
    else {
      Object.assign(model, { axis_label_text_color: ink, major_label_text_color: muted });
      Object.assign(model, { axis_line_color: muted, major_tick_line_color: muted });
    }
  }
};
for (const plot of document.querySelectorAll(".plot")) {
  const data = JSON.parse(plot.querySelector("script").textContent);
  Bokeh.embed.embed_item(data, plot).then(views => {
    for (const view of views) {
      const all = view.model.references();
      for (const model of all) if (/Axis$|^(Title|Legend|Grid)$/.test(model.type)) models.push(model);
    }
    inked();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", inked);
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img").cloneNode();
    dialog.replaceChildren(dialog.firstElementChild, image);
    dialog.setAttribute("aria-label", image.alt);
    dialog.showModal();
  });
}
dialog.querySelector("button").addEventListener("click", () => dialog.close());
