// What a page of the console does by itself while it is open. Every page works without this file:
// previews have a button, polled parts a link, and fields take what is typed.
"use strict";

{
    const PAUSE = 300;

    /** Returns a function that calls `act` once it was not called for PAUSE milliseconds. */
    const debounced = (act) => {
        let timer;
        return () => {
            clearTimeout(timer);
            timer = setTimeout(act, PAUSE);
        };
    };

    /** The text at `url`; null where the answer is not from that page: logged out, refused, or failed. */
    const text = async (url, options = {}) => {
        const answer = await fetch(url, {
            credentials: "same-origin",
            headers: {"X-Requested-With": "XMLHttpRequest"},
            ...options,
        });
        return answer.ok && !answer.redirected ? answer.text() : null;
    };

    const become = (piece) => {
        document.getElementById(piece.dataset.becomes)?.replaceChildren(...piece.childNodes);
        piece.remove();
    };

    /** Whether a field no longer holds what the page was sent with. */
    const isFilledIn = (field) => {
        if (field instanceof HTMLSelectElement) {
            const preset = [...field.options].some((option) => option.defaultSelected);
            return [...field.options].some((option, index) =>
                option.selected !== (preset ? option.defaultSelected : index === 0 && !field.multiple),
            );
        }
        if (field.type === "checkbox" || field.type === "radio") {
            return field.checked !== field.defaultChecked;
        }
        return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
    };

    /** <form data-preview="URL" data-preview-into="#id">: shows what URL makes of the form while it is filled in.
     *  A field with data-no-preview makes no difference to it. A piece of that with data-becomes="id" takes the place
     *  of what is in the element of that id. */
    const preview = (form) => {
        const into = document.querySelector(form.dataset.previewInto);
        if (!into) {
            return;
        }
        into.setAttribute("aria-live", "polite");
        let asked = null;
        const show = async () => {
            asked?.abort();
            const own = (asked = new AbortController());
            into.setAttribute("aria-busy", "true");
            try {
                const html = await text(form.dataset.preview, {
                    method: "POST",
                    body: new FormData(form),
                    signal: own.signal,
                });
                if (own === asked) {
                    into.innerHTML = html ?? '<p class="notice warn">The preview could not be made. Reload the page.</p>';
                    into.querySelectorAll("[data-becomes]").forEach(become);
                    start(into);
                }
            } catch (error) {
                if (own === asked && error.name !== "AbortError") {
                    into.innerHTML = '<p class="notice warn">The preview could not be fetched. Try again.</p>';
                }
            } finally {
                if (own === asked) {
                    into.removeAttribute("aria-busy");
                }
            }
        };
        const soon = debounced(show);
        const changesPreview = (field) => !field.matches("[data-no-preview]");
        form.addEventListener("input", (event) => {
            if (changesPreview(event.target)) {
                soon();
            }
        });
        // Filled in before this file had run, or by the browser that keeps a form over a reload.
        if ([...form.elements].some((field) => changesPreview(field) && isFilledIn(field))) {
            soon();
        }
    };

    /** A token against forgery is written anew each time: the one that is there, which stays good, is kept. */
    const keepToken = (part, received) => {
        const field = 'input[name="csrfmiddlewaretoken"]';
        const there = part.querySelector(field);
        if (there) {
            received.querySelectorAll(field).forEach((token) => token.setAttribute("value", there.getAttribute("value")));
        }
    };

    /** <div data-poll="URL" data-poll-every="1000">: becomes what is at URL, until that asks for no more polling. */
    const poll = (part) => {
        part.setAttribute("aria-live", "polite");
        const look = async () => {
            let html = null;
            try {
                html = await text(part.dataset.poll);
            } catch {
                html = undefined;
            }
            if (!part.isConnected || html === null) {
                return;
            }
            const holder = document.createElement("template");
            holder.innerHTML = html ?? "";
            const received = holder.content.firstElementChild;
            if (received) {
                keepToken(part, received);
                if (part.innerHTML !== received.innerHTML) {
                    part.innerHTML = received.innerHTML;
                    start(part);
                }
                part.className = received.className;
                if (!received.dataset.poll) {
                    delete part.dataset.poll;
                    return;
                }
                part.dataset.poll = received.dataset.poll;
            }
            setTimeout(look, Number(part.dataset.pollEvery) || 1000);
        };
        setTimeout(look, Number(part.dataset.pollEvery) || 1000);
    };

    /** <input data-suggest="URL" list="id">: fills the list with what URL?term=… finds for the text typed so far. */
    const suggest = (field) => {
        let latest = 0;
        const fill = async () => {
            const own = ++latest;
            const url = new URL(field.dataset.suggest, location.href);
            url.searchParams.set("term", field.value);
            try {
                const found = await text(url);
                if (own === latest && found !== null && field.list) {
                    field.list.replaceChildren(
                        ...JSON.parse(found).results.map((value) => Object.assign(document.createElement("option"), {value})),
                    );
                }
            } catch {
                // Without suggestions one types on.
            }
        };
        field.addEventListener("input", debounced(fill));
        field.addEventListener("focus", fill, {once: true});
    };

    /** <fieldset data-enter>: Enter in one of its fields presses its first button, and not the form's. */
    const enter = (fields) => {
        fields.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && event.target.matches("input")) {
                event.preventDefault();
                fields.querySelector("button")?.click();
            }
        });
    };

    const TABLES = "#result_list, .rows table, .scrolls table";
    const NOTHING = new Set(["", "–"]);

    /** Gives each cell of a table the words of its head: on a telephone a row is a card of them, without the empty. */
    const labelCells = (table) => {
        const heads = [...table.querySelectorAll("thead tr:only-child > *")];
        if (heads.length < 3 || heads.some((head) => head.colSpan > 1)) {
            return;
        }
        for (const row of table.tBodies[0]?.rows ?? []) {
            row.setAttribute("role", "row");
            [...row.cells].forEach((cell, column) => {
                const head = heads[column]?.querySelector(".text") ?? heads[column];
                cell.dataset.label = head?.textContent.trim() ?? "";
                cell.classList.toggle("nothing", NOTHING.has(cell.textContent.trim()) && !cell.querySelector("input, img"));
                cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
            });
        }
        heads.forEach((head) => head.setAttribute("role", "columnheader"));
        heads[0].parentElement.setAttribute("role", "row");
        table.querySelectorAll("thead, tbody").forEach((part) => part.setAttribute("role", "rowgroup"));
        table.setAttribute("role", "table");
        table.classList.add("as-cards");
    };

    /** The filters of a list: on a telephone they stand above it, behind their heading. */
    const fold = (filters) => {
        const heading = filters.querySelector("h2");
        const on = filters.querySelector("#changelist-filter-extra-actions") !== null;
        const button = Object.assign(document.createElement("button"), {
            type: "button",
            className: "folds",
            textContent: on ? "Filter: some are set" : "Filter",
        });
        const show = (open) => {
            button.setAttribute("aria-expanded", open);
            filters.classList.toggle("folded", !open);
        };
        button.addEventListener("click", () => show(filters.classList.contains("folded")));
        show(false);
        heading.after(button);
    };

    /** The day in a date field, as it is written everywhere else: browsers write it in ways of their own. */
    const showDay = (field) => {
        const day = Object.assign(document.createElement("span"), {className: "chosen-day"});
        day.setAttribute("aria-live", "polite");
        const show = () => {
            day.textContent = field.value ? `= ${field.value}` : "";
        };
        field.addEventListener("input", show);
        show();
        (field.closest("label") ?? field).after(day);
    };

    /** <input type="file" data-at-most="bytes" data-too-large="words">: says at once that a file is too large to be sent. */
    const checkSize = (field) => {
        const warning = Object.assign(document.createElement("p"), {className: "too-large"});
        warning.setAttribute("role", "alert");
        field.after(warning);
        const check = () => {
            const tooLarge = [...field.files].some((file) => file.size > Number(field.dataset.atMost));
            warning.textContent = tooLarge ? field.dataset.tooLarge : "";
            return tooLarge;
        };
        field.addEventListener("change", check);
        field.form?.addEventListener("submit", (event) => {
            if (check()) {
                event.preventDefault();
                field.focus();
            }
        });
    };

    /** <button data-copy="text" hidden>: appears where the browser lets pages copy, copies the text, and says so. */
    const copy = (button) => {
        if (!navigator.clipboard) {
            return;
        }
        button.hidden = false;
        button.setAttribute("aria-live", "polite");
        const before = button.textContent;
        button.addEventListener("click", async () => {
            try {
                await navigator.clipboard.writeText(button.dataset.copy);
                button.textContent = "Copied";
            } catch {
                button.textContent = "Not copied";
            }
            setTimeout(() => {
                button.textContent = before;
            }, 2000);
        });
    };

    /** Sets going what `root` holds. */
    const start = (root) => {
        root.querySelectorAll(TABLES).forEach(labelCells);
        root.querySelectorAll("#changelist-filter").forEach(fold);
        root.querySelectorAll('input[type="date"]').forEach(showDay);
        root.querySelectorAll("form[data-preview]").forEach(preview);
        root.querySelectorAll("[data-poll]").forEach(poll);
        root.querySelectorAll("input[data-suggest]").forEach(suggest);
        root.querySelectorAll("input[type=file][data-at-most]").forEach(checkSize);
        root.querySelectorAll("[data-enter]").forEach(enter);
        root.querySelectorAll("button[data-copy]").forEach(copy);
    };

    document.addEventListener("DOMContentLoaded", () => start(document));
}
