# impacket_server.py ADDRESS PORT DIRECTORY [USER ...]: an SMB server that ends when its standard input does. Users have the
# password in IMPACKET_PASSWORD.
import os
import sys
import threading

from impacket.ntlm import compute_lmhash, compute_nthash
from impacket.smbserver import SimpleSMBServer

address, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = SimpleSMBServer(listenAddress=address, listenPort=port)
server.addShare("FILES", directory)
server.setSMB2Support(True)
password = os.environ["IMPACKET_PASSWORD"]
for uid, name in enumerate(sys.argv[4:], start=1000):
    server.addCredential(name, uid, compute_lmhash(password).hex(), compute_nthash(password).hex())


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.start()
