"""Sends a file of two batches with the PyPI package `hl7`, and reads the answer with it.

    mllp_file.py PORT COUNTED

COUNTED is what the file's trailer counts. Prints a line for the file answered, one for each batch
answered, and one for each acknowledgment; or the one acknowledgment of a file that was refused.
"""
import sys

import hl7
from hl7.client import MLLPClient

PORT, COUNTED = int(sys.argv[1]), sys.argv[2]


def message(number):
    return (
        f"MSH|^~\\&|S|NORTH|EHR|SOUTH|20260101||ADT^A01|{number}|P|2.5\r"
        f"PID|1||f1^^^NORTH||n{number}\r"
    )


def batch(control_id, numbers):
    header = f"BHS|^~\\&|S|NORTH|EHR|SOUTH|||||{control_id}\r"
    return header + "".join(message(it) for it in numbers) + f"BTS|{len(numbers)}\r"


def told(acknowledgment):
    return f"{acknowledgment['MSA.F1']} {acknowledgment['MSA.F2']}"


text = f"FHS|^~\\&|S|NORTH|EHR|SOUTH|||||F\r{batch('B1', [1, 2])}{batch('B2', [3])}FTS|{COUNTED}\r"
with MLLPClient("127.0.0.1", PORT) as client:
    client.socket.settimeout(60)
    answer = client.send_message(text).decode().strip("\x0b\x1c\r")
if not hl7.isfile(answer):
    print(told(hl7.parse(answer + "\r")))
    sys.exit()
file = hl7.parse_file(answer + "\r")
print("file", file.header[12], "of", file.trailer[1])
for it in file:
    print("batch", it.header[12], "of", it.trailer[1])
    for acknowledgment in it:
        print(told(acknowledgment))
