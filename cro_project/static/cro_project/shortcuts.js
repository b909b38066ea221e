"use strict";

/* Keyboard shortcuts of a page: [data-key="k"][data-press="SELECTOR"] says which key presses what. They are listed on the
 * page, and [data-shortcuts-on] turns them off for this browser. Where somebody writes, keys are letters. */
{
    const STORED = "shortcuts-off";
    const writes = (target) =>
        target.isContentEditable ||
        target.matches("textarea, select, input:not([type=radio]):not([type=checkbox]):not([type=submit])");

    const stored = () => {
        try {
            return localStorage.getItem(STORED) === "yes";
        } catch {
            return false;
        }
    };
    let off = stored();

    const press = (element) => {
        if (element.matches("section, form")) {
            element.scrollIntoView();
            (element.matches("form") ? element.querySelector("input:not([type=hidden]), textarea") : element).focus();
            return;
        }
        element.focus();
        element.click();
    };

    document.addEventListener("keydown", (event) => {
        if (off || event.defaultPrevented || event.isComposing || event.altKey || event.metaKey) {
            return;
        }
        const combined = event.ctrlKey && event.key === "Enter";
        if (!combined && (event.ctrlKey || writes(event.target))) {
            return;
        }
        const name = combined ? "Ctrl+Enter" : event.key.toLowerCase();
        for (const shortcut of document.querySelectorAll("[data-key]")) {
            const pressed = shortcut.dataset.key === name && document.querySelector(shortcut.dataset.press);
            if (pressed) {
                event.preventDefault();
                press(pressed);
                return;
            }
        }
    });

    document.addEventListener("DOMContentLoaded", () => {
        for (const list of document.querySelectorAll(".shortcuts")) {
            list.hidden = false;
        }
        for (const box of document.querySelectorAll("[data-shortcuts-on]")) {
            box.checked = !off;
            box.addEventListener("change", () => {
                off = !box.checked;
                try {
                    localStorage.setItem(STORED, off ? "yes" : "no");
                } catch {
                    // A browser that keeps nothing: they are off on this page alone.
                }
            });
        }
    });
}
