"""A session of pywinrm's transport with a WS-Management endpoint that is no Windows: identify, enumerate, invoke, get.

session.py URL USER PASSWORD ENVELOPES: sends each file of the folder ENVELOPES in the order of their names and
prints each answer on a line of its own, with the status before it. The certificate is checked against REQUESTS_CA_BUNDLE.
"""
import os
import sys

from winrm.exceptions import WinRMTransportError
from winrm.transport import Transport

url, user, password, folder = sys.argv[1:]
transport = Transport(endpoint=url, username=user, password=password, auth_method="basic",
                      server_cert_validation="validate", read_timeout_sec=60)
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), "rb") as f:
        message = f.read()
    try:
        status, answer = 200, transport.send_message(message)
    except WinRMTransportError as e:
        status, answer = e.code, e.response_text
    if isinstance(answer, bytes):
        answer = answer.decode("utf-8")
    print(status, answer.replace("\n", " "))
