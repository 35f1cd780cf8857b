"""Mail for trying Laurel out: nothing leaves the machine."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend


class LocalBackend(EmailBackend):
    """Writes each mail to a file in EMAIL_FILE_PATH, and its text to standard output, where a sign-in code is seen."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the messages; returns how many."""
        for message in email_messages:
            lines = [line.strip() for line in str(message.body).splitlines() if line.strip()]
            print(
                f"Mail to {', '.join(message.recipients())}: {message.subject}",
                *lines,
                sep="\n  ",
                flush=True,
            )
        return super().send_messages(email_messages) or 0
