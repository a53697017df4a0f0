"""Asks TensorFlow Serving over REST what is on images. Needs Python alone.

python client_rest.py --model ghostnet_100 cat.jpg dog.png
"""

import argparse
import base64
import json
import pathlib
import sys
import urllib.error
import urllib.request


def body(files):
    """The JSON of a request for some files' bytes."""
    instances = [{"b64": base64.b64encode(content).decode()} for content in files]
    return json.dumps({"signature_name": "classify_bytes", "instances": instances}).encode()


def ask(server, model, files, timeout=10):
    """The answers for some files' bytes: dicts of `classes`, `scores`, `labels` and `errors`.

    Raises:
        urllib.error.HTTPError: If the server refuses the request.
        OSError: If it cannot be reached.
    """
    request = urllib.request.Request(
        f"{server}/v1/models/{model}:predict", body(files), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.load(response)["predictions"]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="+", type=pathlib.Path, help="JPEG or PNG files")
    parser.add_argument("--model", required=True, help="its name in models.config")
    parser.add_argument("--server", default="http://localhost:8501")
    parser.add_argument("--timeout", type=float, default=10, help="seconds")
    options = parser.parse_args(arguments)
    files = [path.read_bytes() for path in options.images]
    try:
        answers = ask(options.server, options.model, files, options.timeout)
    except urllib.error.HTTPError as error:  # the server says why
        sys.exit(f"{options.server}: {json.load(error)['error']}")
    except OSError as error:
        sys.exit(f"{options.server}: {error}")
    for path, answer in zip(options.images, answers, strict=True):
        if answer["errors"]:
            print(f"{path}: {answer['errors']}", file=sys.stderr)
            continue
        for label, score in zip(answer["labels"], answer["scores"], strict=True):
            print(f"{path}\t{label}\t{score:.4f}")
    return int(any(answer["errors"] for answer in answers))


if __name__ == "__main__":
    sys.exit(main())
