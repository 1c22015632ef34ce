// The scope form without this script: every box works, nothing is hidden. With it, long lists can be searched, choosing
// a product or lookup key chooses "only these", and the lists look inactive while everything is in scope.
(() => {
  const form = document.querySelector("[data-scope-form]");
  if (!form) return;
  const lists = form.querySelectorAll(".choices");
  const some = form.querySelector('input[name="scope"][value="some"]');

  const show = () => lists.forEach((list) => list.toggleAttribute("data-disabled", !some.checked));

  form.addEventListener("change", (event) => {
    if (event.target.closest(".choices") && event.target.checked) some.checked = true;
    show();
  });
  form.querySelectorAll("[data-filters]").forEach((box) => {
    const rows = [...document.getElementById(box.dataset.filters).querySelectorAll(".choice")];
    box.hidden = false;
    box.querySelector("input").addEventListener("input", (event) => {
      const text = event.target.value.trim().toLowerCase();
      rows.forEach((row) => {
        row.hidden = !row.textContent.toLowerCase().includes(text);
      });
    });
    box.querySelector("input").addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  });
  show();
})();
