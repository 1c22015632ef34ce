/* Keyboard and menus. Everything works without it: links are links, menus are <details>, forms submit. */
"use strict";

(() => {
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")].filter((row) => row.querySelector(".row-link"));

  /* Move the focus to the next (+1) or previous (-1) row of the list. */
  function move(step) {
    const all = rows();
    if (all.length === 0) return;
    const here = all.findIndex((row) => row.contains(document.activeElement));
    const next = Math.min(Math.max(here + step, 0), all.length - 1);
    all[next].querySelector(".row-link").focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  function search(event) {
    const field = document.querySelector("[data-search]") || document.querySelector("#top-search");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  }

  /* The overlay of keys; Escape closes a dialog by itself, and the focus goes back where it was. */
  function showKeys(event) {
    const keys = document.querySelector("#keys");
    if (!keys || keys.open) return;
    event.preventDefault();
    keys.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.activeElement.closest("details.menu[open]");
      closeMenus(null);
      if (menu) menu.querySelector("summary").focus();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?") showKeys(event);
    if (event.key === "/") search(event);
    if (event.key === "j") move(1);
    if (event.key === "k") move(-1);
  });

  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
})();
