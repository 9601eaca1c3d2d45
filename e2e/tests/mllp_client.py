"""Streams HL7 v2 messages over many connections with the PyPI package `hl7`.

    mllp_client.py PORT CONNECTIONS MESSAGES

Each connection sends its messages in order, each again until it is acknowledged, on a new connection
where the old one broke. Every acknowledged control id is printed on a line of its own.
"""
import sys
import threading
import time

from hl7.client import MLLPClient, MLLPException

PORT, CONNECTIONS, MESSAGES = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
PRINTING = threading.Lock()
# Long enough for every restart of the server under a loaded machine.
PATIENCE_SECONDS = 300


def message(connection, number):
    return (
        f"MSH|^~\\&|S{connection}|NORTH|EHR|SOUTH|20260101||ADT^A01|{connection}-{number}|P|2.5\r"
        f"PID|1||c{connection}^^^NORTH||n{number}\r"
    )


def exchange(client, connection, number):
    answer = client.send_message(message(connection, number)).decode()
    if not answer:
        raise ConnectionError("closed")
    if f"MSA|AA|{connection}-{number}\r" not in answer:
        raise MLLPException(answer)


def stream(connection):
    client, began = None, time.monotonic()
    for number in range(1, MESSAGES + 1):
        while True:
            try:
                if client is None:
                    client = MLLPClient("127.0.0.1", PORT)
                    client.socket.settimeout(60)
                exchange(client, connection, number)
                break
            except (OSError, MLLPException) as error:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    print(f"{connection}: {error}", file=sys.stderr)
                    return
                if client is not None:
                    client.socket.close()
                    client = None
                time.sleep(0.02)
        with PRINTING:
            print(f"{connection}-{number}", flush=True)


threads = [threading.Thread(target=stream, args=(it,)) for it in range(CONNECTIONS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
