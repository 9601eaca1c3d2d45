"""A listener of the PyPI package `hl7`: acknowledges every message, and prints its control id.

    mllp_server.py PORT

A message whose control id begins with `no` is answered AE; one whose control id ends in 7 is not
answered the first time, and its connection is closed.
"""
import asyncio
import sys

import hl7.mllp

SEEN = {}


async def serve(reader, writer):
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            control_id = str(message["MSH.F10"])
            SEEN[control_id] = SEEN.get(control_id, 0) + 1
            if control_id.endswith("7") and SEEN[control_id] == 1:
                writer.close()
                break
            code = "AE" if control_id.startswith("no") else "AA"
            # Before the answer: whoever has it may end this process.
            print(control_id, flush=True)
            writer.writemessage(message.create_ack(ack_code=code))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    server = await hl7.mllp.start_hl7_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
