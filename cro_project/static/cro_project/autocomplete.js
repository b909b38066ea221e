"use strict";

/* The field to search in, of a choice of several, bears the name of the choice. */
django.jQuery(() => {
    for (const choice of document.querySelectorAll("select.admin-autocomplete[multiple]")) {
        const label = document.querySelector(`label[for="${choice.id}"]`);
        const search = choice.parentElement.querySelector(".select2-search__field");
        if (label && search) {
            search.setAttribute("aria-label", label.textContent.replace(/:\s*$/, "").trim());
        }
    }
});
