"use strict";

// The contract names no installation; a reader of this page wants to copy what works here.
const GATEWAY = "https://gateway.example";
const PROBLEM = "application/problem+json";
const FIRST_PROBLEM = 400;
const TYPING_MS = 200;

// Swagger UI's dark colours hang on a class; the reader's system decides.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", colour);
colour();

// What the search looks at; every word must be somewhere in it.
function textOf(tag, one) {
  const operation = one.get("operation");
  const said = ["operationId", "summary", "description"].map((name) => operation.get(name) ?? "");
  return [tag, one.get("method"), one.get("path"), ...said].join(" ").toLowerCase();
}

function found(tags, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  return tags
    .map((tag, name) =>
      tag.update("operations", (operations) =>
        operations.filter((one) => words.every((word) => textOf(name, one).includes(word))),
      ),
    )
    .filter((tag) => tag.get("operations").size > 0);
}

function searchBox({ React }) {
  const create = React.createElement;
  return function Search({ layoutActions, layoutSelectors, specSelectors }) {
    const timer = React.useRef(0);
    const filter = layoutSelectors.currentFilter();
    const active = typeof filter === "string" && filter !== "";
    const tags = active ? specSelectors.taggedOperations() : null;
    const count = tags ? tags.reduce((sum, tag) => sum + tag.get("operations").size, 0) : 0;
    const type = (event) => {
      const phrase = event.target.value;
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(() => layoutActions.updateFilter(phrase.trim()), TYPING_MS);
    };
    return create(
      "div",
      { className: "search wrapper", role: "search" },
      create("label", { htmlFor: "search" }, "Cari operasi"),
      create("input", {
        id: "search",
        type: "search",
        placeholder: "villages export, reports:write, webhook ...",
        autoComplete: "off",
        onChange: type,
      }),
      create("p", { role: "status" }, active ? `${count} operasi` : "Tekan / untuk mencari"),
    );
  };
}

// A problem is the same shape everywhere and explained above: one line a kind, instead of an example of each.
function problemRow({ React }, code, response) {
  const create = React.createElement;
  const examples = response.getIn(["content", PROBLEM, "examples"]);
  const kinds = examples ? examples.entrySeq().toArray() : [];
  const headers = response.get("headers");
  const lines = kinds.map(([slug, example]) =>
    create("li", { key: slug }, create("code", null, slug), " ", example.get("summary")),
  );
  return create(
    "tr",
    { className: "response problem", "data-code": code },
    create("td", { className: "response-col_status" }, code),
    create(
      "td",
      { className: "response-col_description" },
      lines.length ? create("ul", null, lines) : response.get("description"),
      headers ? create("p", null, "Header: ", create("code", null, headers.keySeq().join(", "))) : null,
    ),
  );
}

function Kampung(system) {
  const search = searchBox(system);
  return {
    fn: { opsFilter: found },
    components: { FilterContainer: search },
    wrapComponents: {
      response: (Original, { React }) => (props) =>
        Number(props.code) >= FIRST_PROBLEM
          ? problemRow({ React }, props.code, props.response)
          : React.createElement(Original, props),
    },
    statePlugins: {
      auth: {
        wrapActions: {
          // One field: keys and tokens go into the same header, and no page can set a session's cookie.
          showDefinitions: (original) => (definitions) =>
            original(definitions ? definitions.filter((one) => one.has("key")) : definitions),
        },
      },
      layout: {
        wrapSelectors: {
          // What was found is shown, and not only the tag it is under.
          isShown: (original) => (state, thing, fallback) => {
            const filter = state.get("filter");
            const searching = typeof filter === "string" && filter !== "";
            return (searching && thing[0] === "operations-tag") || original(thing, fallback);
          },
        },
      },
      spec: {
        wrapActions: {
          updateSpec: (original) => (text) => original(text.replaceAll(GATEWAY, window.location.origin)),
        },
      },
    },
  };
}

// Headings get addresses, and links inside the page stay inside it; so do back and forward.
function finish(ui) {
  const layout = ui.getSystem().layoutActions;
  for (const heading of document.querySelectorAll(".info h2:not(.title)")) {
    heading.id = heading.textContent.toLowerCase().replaceAll(" ", "-");
    heading.tabIndex = -1;
  }
  for (const link of document.querySelectorAll(".info a[href^='#']")) {
    link.removeAttribute("target");
  }
  const go = () => {
    if (window.location.hash.startsWith("#/")) {
      layout.parseDeepLinkHash(window.location.hash);
    } else if (window.location.hash.length > 1) {
      const there = document.getElementById(window.location.hash.slice(1));
      there?.scrollIntoView();
      there?.focus();
    }
  };
  window.addEventListener("hashchange", go);
  if (!window.location.hash.startsWith("#/")) {
    go();
  }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    document.getElementById("search")?.focus();
  }
});

const ui = SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#swagger-ui",
  plugins: [Kampung],
  deepLinking: true,
  filter: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // A key must not outlive the page on a shared office computer.
  persistAuthorization: false,
  // The default sends the contract to a validator on the internet.
  validatorUrl: null,
  onComplete: () => finish(ui),
});
