// Shows the password on demand and changes the language; signing in works without this file.
const show = document.querySelector(".show");
const password = document.querySelector("#password");
if (show && password) {
  show.hidden = false;
  show.addEventListener("click", () => {
    const visible = password.type === "password";
    password.type = visible ? "text" : "password";
    show.setAttribute("aria-pressed", String(visible));
    show.textContent = visible ? show.dataset.hide : show.dataset.show;
    password.focus();
  });
}
for (const link of document.querySelectorAll("[data-language]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const code = link.dataset.language === "en" ? "en" : "fr";
    document.cookie = `liane_language=${code};path=/;max-age=31536000;samesite=lax`;
    location.reload();
  });
}
