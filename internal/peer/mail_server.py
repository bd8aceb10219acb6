# mail_server.py ADDRESS PORT SECURITY CERT KEY: a mail server that ends when its standard input does. SECURITY is starttls,
# tls or none. With MAIL_PASSWORD set it wants the user "alice" with that password. Each message is printed as one line of
# JSON, as Python's own e-mail package understands it.
import email
import email.policy
import json
import os
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

address, port, security, cert, key = sys.argv[1:6]
password = os.environ.get("MAIL_PASSWORD", "")


class Handler:
    async def handle_DATA(self, server, session, envelope):
        m = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {p.get_content_type(): p.get_content() for p in m.walk() if not p.is_multipart()}
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.auth_data else "",
            "headers": {k: str(v) for k, v in m.items()}, "names": m.keys(), "parts": parts,
            "defects": [str(d) for d in m.defects], "longest": max(len(l) for l in envelope.content.split(b"\r\n")),
        }), flush=True)
        return "250 OK"


def check(server, session, envelope, mechanism, data):
    ok = data.login == b"alice" and data.password == password.encode()
    return AuthResult(success=ok, handled=False, auth_data=data)


context = None
if security != "none":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
options = {"authenticator": check, "auth_required": bool(password), "auth_require_tls": security == "starttls"}
if security == "starttls":
    options |= {"tls_context": context, "require_starttls": True}
if os.environ.get("MAIL_LOGIN_ONLY"):
    options["auth_exclude_mechanism"] = ["PLAIN"]
controller = Controller(Handler(), hostname=address, port=int(port), ssl_context=context if security == "tls" else None, **options)


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
controller.start()
threading.Event().wait()
