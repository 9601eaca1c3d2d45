"""A peer of C2 and C3: converts or parses its files until enough processor time is used, after a pass
that is not counted, and prints what it did: inputs, seconds of processor time, megabytes at the most."""

import json
import resource
import sys
import time

TURN = 3.0


def converter(peer, task):
    if peer == "python-fhir-converter":
        from fhir_converter.renderers import CcdaRenderer, Stu3FhirRenderer

        if task == "ccda":
            renderer = CcdaRenderer()
            return lambda text: renderer.render_fhir_string("CCD", text)
        renderer = Stu3FhirRenderer()
        return lambda text: renderer.render_fhir_string(json.loads(text)["resourceType"], text)
    if peer == "hl7":
        import hl7

        return hl7.parse
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.parser import parse_message

    return lambda text: parse_message(
        text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False
    )


def main():
    peer, task, *files = sys.argv[1:]
    convert = converter(peer, task)
    texts = []
    for file in files:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
        if task == "parse":
            text = text.replace("\r\n", "\r").replace("\n", "\r")
        texts.append(text)

    # What it cannot do is not counted against it.
    able = []
    for text in texts:
        try:
            convert(text)
            able.append(text)
        except Exception as error:
            print(f"{peer}: left out: {type(error).__name__}", file=sys.stderr)
    count, began = 0, time.process_time()
    while time.process_time() - began < TURN:
        for text in able:
            convert(text)
        count += len(able)
    seconds = time.process_time() - began
    print(count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
