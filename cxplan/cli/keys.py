"""keys generate."""

from __future__ import annotations

import click

from cxplan.cli.options import group
from cxplan.cli.session import Result, Session


@click.option(
    "--out", default="signing-key.pem", metavar="FILE", show_default=True, help="The private key."
)
def generate(session: Session, out: str) -> Result:
    """Make a private key (mode 0600) and beside it the public one.

    Neither is ever overwritten. Reviewers need only the public one.
    """
    from cxplan.audit.keygen import generate_key
    from cxplan.audit.keys import public_path
    from cxplan.views.encoder import show

    path = session.settings.path(out)
    public = generate_key(path)
    text = (
        f"Private key: {show(str(path))} (keep it out of Git)\n"
        f"Public key:  {show(str(public_path(path)))}\n"
        f"Fingerprint: {public.fingerprint}\n"
    )
    members = {
        "privateKey": str(path),
        "publicKey": str(public_path(path)),
        "fingerprint": public.fingerprint,
    }
    return Result(text=text, members=members, kind="cxplan/keys-generate")


COMMANDS = {"keys": group("keys", "Make the key that seals bundles.", generate=generate)}
