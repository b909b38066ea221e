"""What is wrong with a message, as part of a page."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from uftp.protocol.diagnostics.explanation import Explanation


def faults(explanation: Explanation, *, otherwise: str) -> SafeString:
    """Each fault with its line, what would be right, and the text meant; `otherwise` where there is none."""
    if not explanation.faults:
        return format_html("<p>{}</p>", explanation.note or otherwise)
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
                fault.text,
            )
            for fault in explanation.faults
        ),
    )
    return format_html('<ol class="faults">{}</ol><p>{}</p>', items, explanation.note)
