"""A private certificate authority with a certificate of a server and one of a client, made by trustme."""

from __future__ import annotations

from pathlib import Path

import trustme


def issue(folder: Path) -> dict[str, Path]:
    """Write `ca`, `server`, `server_key`, `client` and `client_key` as PEM files; return them by name."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    client = authority.issue_cert("conformance@example.com")
    files = {name: folder / f"{name}.pem" for name in ("ca", "server", "server_key", "client", "client_key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    for name, made in (("server", server), ("client", client)):
        made.private_key_pem.write_to_path(str(files[f"{name}_key"]))
        for number, pem in enumerate(made.cert_chain_pems):
            pem.write_to_path(str(files[name]), append=number > 0)
    return files
