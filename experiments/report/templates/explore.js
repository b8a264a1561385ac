"use strict";
{
  const told = JSON.parse(document.getElementById("exploration").textContent);
  const { rows, columns, layers, styles, height, width, strengths, judged } = told, cells = rows * columns;
  const numbers = text => {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
    return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
  };
  const arrays = Object.fromEntries(Object.entries(told.arrays).map(([name, text]) => [name, numbers(text)]));
  const place = document.getElementById("place"), slider = document.getElementById("strength");
  const output = document.getElementById("strength-said"), said = document.getElementById("said");
  const painted = [...place.querySelectorAll(".painted")], original = place.querySelector(".original");
  const unpainted = document.getElementById("unpainted"), play = document.getElementById("run");
  const radios = [...document.querySelectorAll(".asking input")], shares = [...document.querySelectorAll(".asking label")].slice(1);
  const cards = [...document.querySelectorAll(".judged li")], figures = [...document.querySelectorAll(".view.style")];
  const here = document.getElementById("here"), there = document.getElementById("there");
  const tinted = document.getElementById("tinted"), tints = document.getElementById("tints");
  let at = told.at, timer = null, drawn = -1;
  const text = (series, value) => {
    if (value === null) return "–";
    return series.percent ? (100 * value).toPrecision(3) + " %" : Number(value.toPrecision(3)).toString();
  };
  // A field at an edge of an image sees beyond it, where nothing is to be marked.
  const box = (svg, [x, y, w, h]) => {
    const { width, height } = svg.viewBox.baseVal, left = Math.max(0, x), top = Math.max(0, y);
    const inside = { x: left, y: top, width: Math.min(width, x + w) - left, height: Math.min(height, y + h) - top };
    for (const rect of svg.querySelectorAll(".field")) {
      for (const [name, value] of Object.entries(inside)) rect.setAttribute(name, value);
    }
  };
  const hide = svg => svg.querySelectorAll("rect").forEach(rect => ["width", "height"].forEach(name => rect.setAttribute(name, 0)));
  // What is around the field is shown too where the field is small, so that it can be told what it is a part of.
  const enlarge = (canvas, image, size, [x, y, w, h]) => {
    const side = Math.max(w * 1.25, 24), left = x + w / 2 - side / 2, top = y + h / 2 - side / 2;
    const pen = canvas.getContext("2d"), scale = canvas.width / side, [sx, sy] = [image.naturalWidth / size[0], image.naturalHeight / size[1]];
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    const [a, b, c, d] = [Math.max(0, left), Math.max(0, top), Math.min(size[0], left + side), Math.min(size[1], top + side)];
    if (image.naturalWidth) {
      pen.drawImage(image, a * sx, b * sy, (c - a) * sx, (d - b) * sy, (a - left) * scale, (b - top) * scale, (c - a) * scale, (d - b) * scale);
    }
    for (const [color, thick] of [["#000", 4.5], ["#fff", 2]]) {
      pen.strokeStyle = color;
      pen.lineWidth = thick;
      pen.strokeRect((x - left) * scale, (y - top) * scale, w * scale, h * scale);
    }
  };
  const field = (layer, column, row) => [column * layer.stride + layer.offset, row * layer.stride + layer.offset, layer.size, layer.size];
  const swatches = shares.map(label => label.querySelector(".swatch"));
  // Which layer asks most, everywhere: the more it does before the others, the fuller its color.
  const tint = strength => {
    tints.hidden = !tinted.checked;
    if (tints.hidden) return;
    const pen = tints.getContext("2d");
    pen.clearRect(0, 0, columns, rows);
    const colors = swatches.map(swatch => getComputedStyle(swatch).backgroundColor);
    for (let cell = 0; cell < cells; cell++) {
      const asked = layers.map((_, layer) => arrays.share[(strength * layers.length + layer) * cells + cell] / 65535);
      const most = Math.max(...asked);
      pen.fillStyle = colors[asked.indexOf(most)];
      pen.globalAlpha = Math.min(1, 0.35 + most);
      pen.fillRect(cell % columns, Math.floor(cell / columns), 1, 1);
    }
  };
  const show = () => {
    const strength = Number(slider.value), row = Math.floor(at / columns), column = at % columns;
    painted.forEach((each, i) => { each.hidden = unpainted.ariaPressed === "true" || i !== strength; });
    original.hidden = unpainted.ariaPressed !== "true";
    output.value = strengths[strength];
    slider.setAttribute("aria-valuetext", strengths[strength]);
    const index = layer => (strength * layers.length + layer) * cells + at;
    const asked = layers.map((_, i) => arrays.share[index(i)] / 65535);
    const most = asked.indexOf(Math.max(...asked)), chosen = Number(radios.find(radio => radio.checked).value);
    const shown = chosen < 0 ? most : chosen, layer = layers[shown], i = index(shown);
    shares.forEach((label, j) => {
      label.classList.toggle("most", j === most);
      label.querySelector(".share").style.width = 100 * asked[j] + "%";
      label.querySelector(".percent").value = Math.round(100 * asked[j]) + " %";
    });
    const number = arrays.style ? arrays.style[i] : 0, style = styles[number], far = arrays.distance[i] / 65535 * layer.reach;
    const from = field(layer, arrays.column[i], arrays.row[i]), unit = layer.size_of_map;
    const near = (center, count) => Math.max(0, Math.min(count - 1, Math.round((center - layer.offset - (layer.size - 1) / 2) / layer.stride)));
    const y = (row + 0.5) * height / rows - 0.5, x = (column + 0.5) * width / columns - 0.5;
    const own = field(layer, near(x, unit[1]), near(y, unit[0]));
    const marks = place.querySelector(".marks"), cell = marks.querySelector(".cell");
    box(marks, own);
    if (strength !== drawn || tints.hidden === tinted.checked) tint(drawn = strength);
    const edges = { x: column * width / columns, y: row * height / rows, width: width / columns, height: height / rows };
    for (const [name, value] of Object.entries(edges)) cell.setAttribute(name, value);
    figures.forEach((figure, j) => {
      const svg = figure.querySelector(".marks");
      if (j === number) box(svg, from); else hide(svg);
    });
    enlarge(here, (original.hidden ? painted[strength] : original).querySelector("img"), [width, height], own);
    enlarge(there, figures[number].querySelector("img"), [style.width, style.height], from);
    const how = layer.metric === "cosine" ? "cosine distance" : "distance of colors";
    said.textContent = `Row ${row + 1}, column ${column + 1}: ${layers[most].name} asks most, with ${Math.round(100 * asked[most])} % of the style's gradient.`
      + ` To ${layer.name}, this place looks most like the marked piece of ${style.title} (${how} ${far.toFixed(3)}).`;
    cards.forEach((card, j) => {
      const series = judged[j], value = series.values[strength], strong = card.querySelector("strong"), cursor = card.querySelector(".cursor");
      strong.textContent = text(series, value);
      if (series.line !== null && value !== null) {
        strong.textContent = (value <= series.line ? "yes, " : "no, ") + text(series, value);
        strong.classList.toggle("above", value > series.line);
      }
      const to = strengths.length > 1 ? 160 * strength / (strengths.length - 1) : 80;
      cursor.setAttribute("x1", to);
      cursor.setAttribute("x2", to);
    });
  };
  const point = event => {
    const area = place.getBoundingClientRect(), inside = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value * count)));
    at = inside((event.clientY - area.top) / area.height, rows) * columns + inside((event.clientX - area.left) / area.width, columns);
    show();
  };
  const stronger = by => {
    slider.value = Number(slider.value) + by;
    show();
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play the strengths"; };
  place.addEventListener("pointermove", event => { if (event.pointerType === "mouse" || event.buttons) point(event); });
  place.addEventListener("pointerdown", point);
  place.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const far = event.shiftKey ? 5 : 1, row = Math.floor(at / columns), column = at % columns;
    const to = { ArrowLeft: [row, column - far], ArrowRight: [row, column + far], ArrowUp: [row - far, column], ArrowDown: [row + far, column],
      Home: [row, 0], End: [row, columns - 1] }[event.key];
    const by = { "+": 1, "=": 1, "-": -1, PageUp: 1, PageDown: -1 }[event.key];
    if (to === undefined && by === undefined) return;
    event.preventDefault();
    if (by !== undefined) { stop(); return stronger(by); }
    at = Math.max(0, Math.min(rows - 1, to[0])) * columns + Math.max(0, Math.min(columns - 1, to[1]));
    show();
  });
  slider.addEventListener("input", () => { stop(); show(); });
  tinted.addEventListener("input", show);
  for (const radio of radios) radio.addEventListener("input", show);
  unpainted.addEventListener("click", () => {
    unpainted.ariaPressed = String(unpainted.ariaPressed !== "true");
    unpainted.textContent = unpainted.ariaPressed === "true" ? "Show the painting" : "Show the content";
    show();
  });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) === strengths.length - 1) slider.value = 0;
    play.textContent = "Stop";
    show();
    timer = setInterval(() => {
      stronger(1);
      if (Number(slider.value) === strengths.length - 1) stop();
    }, 450);
  });
  show();
  Promise.all([...document.images].map(image => image.decode().catch(() => undefined))).then(show);
}
