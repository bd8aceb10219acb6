# impacket_server.py ADDRESS PORT DIRECTORY [USER ...]: an SMB server that ends when its standard input does. Users have the
# password in IMPACKET_PASSWORD. The pipe IMPACKET_PIPE, where it is set, is handed on to the address IMPACKET_PIPE_TO.
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
if "IMPACKET_PIPE" in os.environ:
    host, _, pipe_port = os.environ["IMPACKET_PIPE_TO"].rpartition(":")
    # It knows files and pipes alike by names with slashes.
    server.registerNamedPipe(os.environ["IMPACKET_PIPE"].replace("\\", "/"), (host, int(pipe_port)))


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.start()
