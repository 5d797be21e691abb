"""Prints the documents of YAML files as one JSON list, so that tests can read them; compose files are checked on the way."""

import json
import sys

import compose_spec
import yaml

documents = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith("compose.yaml"):
        compose_spec.PyCompose.from_yaml(text)
    documents.extend(yaml.safe_load_all(text))
json.dump(documents, sys.stdout)
