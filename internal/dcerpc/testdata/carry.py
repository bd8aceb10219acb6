# Carries bytes between standard input and output and named pipes of an SMB server, with impacket's client, so that the
# tests of internal/dcerpc reach a real server without a client of this project.
#   request: one byte (O open, W write, R read, C close), length, bytes; answer: 0 or 1 for an error, length, bytes
import struct
import sys

from impacket.smbconnection import SMBConnection

host, port, user, password = sys.argv[1:5]
connection = SMBConnection("*SMBSERVER", host, sess_port=int(port), timeout=30)
connection.login(user, password)
tree = connection.connectTree("IPC$")
pipe = None


def carry(op, data):
    global pipe
    if op == b"O":
        pipe = connection.openFile(tree, "\\" + data.decode())
    elif op == b"W":
        connection.writeFile(tree, pipe, data)
    elif op == b"R":
        return connection.readFile(tree, pipe, bytesToRead=struct.unpack("<I", data)[0])
    elif op == b"C":
        connection.closeFile(tree, pipe)
    return b""


source, sink = sys.stdin.buffer, sys.stdout.buffer
while True:
    head = source.read(5)
    if len(head) < 5:
        break
    op, length = head[:1], struct.unpack("<I", head[1:])[0]
    try:
        answer = b"\x00", carry(op, source.read(length))
    except Exception as e:
        answer = b"\x01", str(e).encode()
    sink.write(answer[0] + struct.pack("<I", len(answer[1])) + answer[1])
    sink.flush()
