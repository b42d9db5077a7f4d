(function () {
  "use strict";
  var store = null;
  try { store = window.localStorage; } catch (refused) { store = null; }
  var radios = document.querySelectorAll(".lang-switch");
  function applied(language) { document.documentElement.lang = language === "zh" ? "zh-CN" : "en"; }
  radios.forEach(function (radio) {
    if (store && store.getItem("hil97-lang") === radio.value) { radio.checked = true; applied(radio.value); }
    radio.addEventListener("change", function () {
      applied(radio.value);
      if (store) { store.setItem("hil97-lang", radio.value); }
    });
  });

  var form = document.getElementById("filter");
  var tests = Array.prototype.slice.call(document.querySelectorAll(".test"));
  function filter() {
    var text = form.elements.text.value.trim().toLowerCase();
    var shown = 0;
    tests.forEach(function (test) {
      var fits = (!form.elements.bench.value || test.dataset.bench === form.elements.bench.value)
        && (!form.elements.verdict.value || test.dataset.verdict === form.elements.verdict.value)
        && (!text || test.textContent.toLowerCase().indexOf(text) >= 0);
      test.classList.toggle("filtered", !fits);
      shown += fits ? 1 : 0;
    });
    form.querySelector(".shown").textContent = shown + " / " + tests.length;
  }
  if (form && tests.length) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    filter();
  }

  if (navigator.clipboard) {
    document.querySelectorAll(".again").forEach(function (line) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "⧉";
      button.setAttribute("aria-label", "copy");
      button.addEventListener("click", function () {
        navigator.clipboard.writeText(line.querySelector("code").textContent).then(function () {
          button.textContent = "✓";
          window.setTimeout(function () { button.textContent = "⧉"; }, 1500);
        });
      });
      line.appendChild(button);
    });
  }

  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) { return; }
    for (var node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") { node.open = true; }
      node.classList.remove("filtered");
    }
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
