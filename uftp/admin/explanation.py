"""The explanation of an invalid message as HTML."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from uftp.protocol.diagnostics.explanation import Explanation


def fault_list(explanation: Explanation, *, fallback: str) -> SafeString:
    """Return a list of the faults, each with its place, correction and excerpt.

    Without faults, return the note of the explanation, or else the text `fallback`.
    """
    if not explanation.faults:
        return format_html("<p>{}</p>", explanation.note or fallback)
    items = format_html_join(
        "",
        '<li><p><span class="quiet">Line {}, column {}{}</span></p>'
        '<p><strong>{}</strong> {}</p><pre class="xml" tabindex="0" role="region" aria-label="Line {}">{}</pre></li>',
        (
            (
                fault.line,
                fault.column,
                f", {fault.path}" if fault.path else "",
                fault.wrong,
                fault.right,
                fault.line,
                fault.excerpt,
            )
            for fault in explanation.faults
        ),
    )
    return format_html('<ol class="faults">{}</ol><p>{}</p>', items, explanation.note)
